namespace Glimmer.Protocol.Errors;

/// <summary>The platform's business codes (spec: api.md §4.3). The number is what clients see.</summary>
public enum BusinessCode
{
    /// <summary>Internal error.</summary>
    Internal = 500,

    /// <summary>Authentication failed.</summary>
    AuthenticationFailed = 1000,

    /// <summary>The parameter has an illegal value.</summary>
    ParameterInvalid = 1214,
}
