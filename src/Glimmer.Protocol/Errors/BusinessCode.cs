namespace Glimmer.Protocol.Errors;

/// <summary>The platform's business codes (spec: api.md §4.3). The number is what clients see.</summary>
public enum BusinessCode
{
    /// <summary>Internal error.</summary>
    Internal = 500,

    /// <summary>Authentication failed.</summary>
    AuthenticationFailed = 1000,

    /// <summary>The request carries no credential.</summary>
    CredentialMissing = 1001,

    /// <summary>The credential is neither a key nor a token.</summary>
    TokenInvalid = 1002,

    /// <summary>The token or key has expired.</summary>
    TokenExpired = 1003,

    /// <summary>The token is well formed, but its signature or its key is wrong.</summary>
    TokenRejected = 1004,

    /// <summary>Second-factor protection is on; a two-step login is needed.</summary>
    SecondFactorNeeded = 1005,

    /// <summary>The account cannot be read or written.</summary>
    AccountAccess = 1100,

    /// <summary>The account is inactive.</summary>
    AccountInactive = 1110,

    /// <summary>The account does not exist.</summary>
    AccountMissing = 1111,

    /// <summary>The account is locked.</summary>
    AccountLocked = 1112,

    /// <summary>The account is in arrears, or has no resource package.</summary>
    AccountInArrears = 1113,

    /// <summary>The account cannot be accessed now.</summary>
    AccountUnavailable = 1120,

    /// <summary>The account is locked for irregular activity.</summary>
    AccountIrregular = 1121,

    /// <summary>The API call failed.</summary>
    CallFailed = 1200,

    /// <summary>The call's parameters are incorrect as a whole.</summary>
    CallIncorrect = 1210,

    /// <summary>The model does not exist.</summary>
    ModelMissing = 1211,

    /// <summary>The model does not support this kind of call.</summary>
    ModelUnsupported = 1212,

    /// <summary>A required parameter was not received.</summary>
    ParameterMissing = 1213,

    /// <summary>The parameter has an illegal value.</summary>
    ParameterInvalid = 1214,

    /// <summary>Two parameters must not be set together.</summary>
    ParametersConflict = 1215,

    /// <summary>No permission to access the API.</summary>
    ApiForbidden = 1220,

    /// <summary>The API is offline.</summary>
    ApiOffline = 1221,

    /// <summary>The API does not exist.</summary>
    ApiMissing = 1222,

    /// <summary>The call's process failed.</summary>
    CallProcess = 1230,

    /// <summary>A request with this id already exists.</summary>
    RequestDuplicate = 1231,

    /// <summary>A network error between the platform and the model.</summary>
    Network = 1234,

    /// <summary>The prompt exceeds the context.</summary>
    PromptTooLong = 1261,

    /// <summary>A policy blocked the call.</summary>
    PolicyBlocked = 1300,

    /// <summary>Unsafe or sensitive content in input or output.</summary>
    ContentUnsafe = 1301,

    /// <summary>Too many requests of this account or key are in flight.</summary>
    ConcurrencyExceeded = 1302,

    /// <summary>Requests come too often.</summary>
    FrequencyExceeded = 1303,

    /// <summary>The day's limit of calls is reached.</summary>
    DailyLimitReached = 1304,

    /// <summary>The API's own limit is reached, or the model is overloaded or not ready.</summary>
    Overloaded = 1305,

    /// <summary>The plan's usage limit is reached.</summary>
    UsageLimitReached = 1308,

    /// <summary>The coding plan has expired.</summary>
    PlanExpired = 1309,

    /// <summary>The plan's weekly or monthly limit is exhausted.</summary>
    PlanLimitExhausted = 1310,

    /// <summary>The plan has no access to the model.</summary>
    PlanModelDenied = 1311,

    /// <summary>The model is under high traffic.</summary>
    ModelBusy = 1312,

    /// <summary>The fair-use rule was violated.</summary>
    FairUse = 1313,

    /// <summary>The enterprise plan is no longer valid.</summary>
    EnterprisePlanInvalid = 1314,

    /// <summary>The key is for the enterprise coding plan only.</summary>
    EnterprisePlanKeyOnly = 1315,

    /// <summary>The 5-hour limit is reached and the balance too low for overage.</summary>
    FiveHourLimitBalance = 1316,

    /// <summary>The 7-day limit is reached and the balance too low for overage.</summary>
    SevenDayLimitBalance = 1317,

    /// <summary>The 5-hour limit and the sub-account's monthly cap are reached.</summary>
    FiveHourLimitSubAccount = 1318,

    /// <summary>The 7-day limit and the sub-account's monthly cap are reached.</summary>
    SevenDayLimitSubAccount = 1319,

    /// <summary>The 5-hour limit and the enterprise's monthly cap are reached.</summary>
    FiveHourLimitEnterprise = 1320,

    /// <summary>The 7-day limit and the enterprise's monthly cap are reached.</summary>
    SevenDayLimitEnterprise = 1321,

    /// <summary>Too many web searches at once.</summary>
    SearchConcurrency = 1701,

    /// <summary>No usable search engine.</summary>
    SearchEngineMissing = 1702,

    /// <summary>The search engine returned no valid data.</summary>
    SearchEmpty = 1703,
}
