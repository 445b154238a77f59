using System.Globalization;

namespace Glimmer.Protocol.Errors;

/// <summary>Languages that the platform speaks in its messages.</summary>
public enum MessageLanguage
{
    /// <summary>English, the default.</summary>
    English,

    /// <summary>Chinese, for callers whose <c>Accept-Language</c> prefers <c>zh</c>.</summary>
    Chinese,
}

/// <summary>What every business code means on the wire: HTTP status and message (spec: api.md §4.3).</summary>
public static class BusinessCodeTable
{
    /// <summary>HTTP status to answer with when the error does not name its own.</summary>
    public static int HttpStatus(this BusinessCode code) => (int)code switch
    {
        500 or 1200 or 1230 or 1234 or 1702 => 500,
        >= 1000 and <= 1100 => 401,
        1220 => 403,
        >= 1110 and <= 1121 => 429,
        >= 1302 and <= 1321 or 1701 => 429,
        _ => 400,
    };

    /// <summary>The digits that clients see in <c>error.code</c>.</summary>
    public static string Digits(this BusinessCode code) => ((int)code).ToString(CultureInfo.InvariantCulture);

    /// <summary>The message template, with <c>{0}</c>, <c>{1}</c> for its arguments.</summary>
    public static string Template(this BusinessCode code, MessageLanguage language)
    {
        (string english, string chinese) = Templates(code);
        return language == MessageLanguage.Chinese ? chinese : english;
    }

    private static (string English, string Chinese) Templates(BusinessCode code) => code switch
    {
        BusinessCode.Internal => ("Internal error", "内部错误"),
        BusinessCode.AuthenticationFailed => ("Authentication failed", "身份验证失败"),
        BusinessCode.CredentialMissing => ("No authentication parameter was received in the header", "Header 中未收到 Authentication 参数，无法进行身份验证"),
        BusinessCode.TokenInvalid => (
            "Authorization Token is invalid, please ensure that the Authorization Token is correctly provided.",
            "Authentication Token 非法，请确认 Authentication Token 正确传递"),
        BusinessCode.TokenExpired => ("Authentication Token has expired, please regenerate or obtain it again", "Authentication Token 已过期，请重新生成或获取"),
        BusinessCode.TokenRejected => ("Authentication with the provided Token failed", "通过提供的 Authentication Token 的验证失败"),
        BusinessCode.SecondFactorNeeded => ("Two-step login is on for this account, log in with the second factor", "账户已开启二次验证，请完成两步登录"),
        BusinessCode.AccountAccess => ("Reading or writing the account failed", "账户读写失败"),
        BusinessCode.AccountInactive => ("Your account is inactive, please check the account information", "您的账户当前处于非活动状态，请检查账户信息"),
        BusinessCode.AccountMissing => ("Your account does not exist", "您的账户不存在"),
        BusinessCode.AccountLocked => ("Your account is locked, please contact support", "您的账户已被锁定，请联系客服"),
        BusinessCode.AccountInArrears => ("Your account is in arrears or has no resource package, please recharge", "您的账户已欠费或无可用资源包，请充值"),
        BusinessCode.AccountUnavailable => ("Your account cannot be accessed now, please retry later", "暂时无法访问您的账户，请稍后重试"),
        BusinessCode.AccountIrregular => ("Your account is locked because of irregular activity", "您的账户因异常行为已被锁定"),
        BusinessCode.CallFailed => ("API call error", "接口调用失败"),
        BusinessCode.CallIncorrect => ("API call parameters are incorrect, please check the documentation", "API 调用参数有误，请检查文档"),
        BusinessCode.ModelMissing => ("The model {0} does not exist, please check the model code", "模型 {0} 不存在，请检查模型代码"),
        BusinessCode.ModelUnsupported => ("The model does not support {0} calls", "当前模型不支持 {0} 调用方式"),
        BusinessCode.ParameterMissing => ("The parameter {0} was not received", "未正常接收到 {0} 参数"),
        BusinessCode.ParameterInvalid => ("The parameter {0} is invalid, please check the documentation", "{0} 参数非法，请检查文档"),
        BusinessCode.ParametersConflict => ("The parameters {0} and {1} must not be set together", "{0} 与 {1} 参数不能同时设置"),
        BusinessCode.ApiForbidden => ("You have no permission to access {0}", "您无权访问 {0}"),
        BusinessCode.ApiOffline => ("The API {0} is offline", "API {0} 已下线"),
        BusinessCode.ApiMissing => ("The API {0} does not exist", "API {0} 不存在"),
        BusinessCode.CallProcess => ("The call process failed", "API 调用流程出错"),
        BusinessCode.RequestDuplicate => ("A request with the id {0} already exists", "您已有请求：{0}"),
        BusinessCode.Network => ("Network error, error id: {0}, please try again later", "网络错误，错误 id：{0}，请稍后重试"),
        BusinessCode.PromptTooLong => ("The prompt exceeds the maximum length", "Prompt 超长"),
        BusinessCode.PolicyBlocked => ("The API call was blocked by policy", "API 调用被策略阻止"),
        BusinessCode.ContentUnsafe => ("Unsafe or sensitive content was detected in input or output", "系统检测到输入或生成内容可能包含不安全或敏感内容"),
        BusinessCode.ConcurrencyExceeded => ("Too many concurrent requests, please reduce the concurrency", "您当前使用该 API 的并发数过高，请降低并发"),
        BusinessCode.FrequencyExceeded => ("The API is called too often, please reduce the frequency", "您当前使用该 API 的频率过高，请降低频率"),
        BusinessCode.DailyLimitReached => ("Today's call limit for this API is reached", "该 API 当日调用次数限额已达到"),
        BusinessCode.Overloaded => ("The rate limit of this API was triggered, please try again later", "当前 API 请求过多，请稍后重试"),
        BusinessCode.UsageLimitReached => ("Usage limit reached for {0}. The limit resets at {1}", "已达到 {0} 的使用上限，限额将在 {1} 重置"),
        BusinessCode.PlanExpired => ("Your GLM Coding Plan has expired", "您的 GLM Coding Plan 套餐已到期"),
        BusinessCode.PlanLimitExhausted => ("Weekly/monthly limit exhausted. The limit resets at {0}", "每周/每月使用上限已达到，限额将在 {0} 重置"),
        BusinessCode.PlanModelDenied => ("Your plan has no access to the model {0}", "当前订阅套餐暂未开放 {0} 权限"),
        BusinessCode.ModelBusy => ("The model is under high traffic, retry later or use {0}", "该模型当前访问量过大，请稍后再试，或使用 {0}"),
        BusinessCode.FairUse => ("Your usage does not follow the fair-use policy, the request rate is restricted", "您的使用不符合公平使用策略，请求速率已受限"),
        BusinessCode.EnterprisePlanInvalid => ("The enterprise plan is no longer valid", "企业套餐已失效"),
        BusinessCode.EnterprisePlanKeyOnly => ("This key is for the enterprise coding plan only", "该密钥仅限企业编程套餐使用"),
        BusinessCode.FiveHourLimitBalance => ("5-hour limit reached and the balance is too low for overage. The limit resets at {0}", "已达到 5 小时上限且余额不足，限额将在 {0} 重置"),
        BusinessCode.SevenDayLimitBalance => ("7-day limit reached and the balance is too low for overage. The limit resets at {0}", "已达到 7 天上限且余额不足，限额将在 {0} 重置"),
        BusinessCode.FiveHourLimitSubAccount => ("5-hour limit reached and the sub-account's monthly cap is reached", "已达到 5 小时上限且子账户月度限额已用尽"),
        BusinessCode.SevenDayLimitSubAccount => ("7-day limit reached and the sub-account's monthly cap is reached", "已达到 7 天上限且子账户月度限额已用尽"),
        BusinessCode.FiveHourLimitEnterprise => ("5-hour limit reached and the enterprise's monthly cap is reached", "已达到 5 小时上限且企业月度限额已用尽"),
        BusinessCode.SevenDayLimitEnterprise => ("7-day limit reached and the enterprise's monthly cap is reached", "已达到 7 天上限且企业月度限额已用尽"),
        BusinessCode.SearchConcurrency => ("The concurrency limit of web search is reached", "网络搜索并发数已达上限"),
        BusinessCode.SearchEngineMissing => ("No usable search engine was found", "未找到可用的搜索引擎"),
        BusinessCode.SearchEmpty => ("The search engine returned no valid data, please change the query", "搜索引擎未返回有效数据，请调整查询条件"),
        _ => throw new ArgumentOutOfRangeException(nameof(code), code, "Not a business code."),
    };
}
