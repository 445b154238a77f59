using System.Globalization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Accounts;

/// <summary>What a call made, or why it made nothing.</summary>
/// <param name="Value">The result; default when there is an error.</param>
/// <param name="Error">Why there is none.</param>
public readonly record struct Outcome<T>(T? Value, PlatformError? Error)
{
    /// <summary>A result.</summary>
    public static implicit operator Outcome<T>(T value) => new(value, null);

    /// <summary>A refusal.</summary>
    public static implicit operator Outcome<T>(PlatformError error) => new(default, error);
}

/// <summary>The errors of this room, and the checks that give them.</summary>
internal static class AccountErrors
{
    /// <summary>There is no such thing, or it belongs to somebody else: both look the same (HTTP 404).</summary>
    public static PlatformError Missing(string kind, string chinese) => new(BusinessCode.ParameterInvalid, $"There is no such {kind}")
    {
        Chinese = $"{chinese}不存在",
        Status = 404,
    };

    public static PlatformError NoAccount() => Missing("account", "账户");

    public static PlatformError NoProject() => Missing("project", "项目");

    public static PlatformError NoKey() => Missing("key", "API Key");

    public static PlatformError NoMember() => Missing("member", "成员");

    /// <summary>The caller's role does not allow it (1220, HTTP 403).</summary>
    public static PlatformError Forbidden() => new(BusinessCode.ApiForbidden, "Your role in this account does not allow this")
    {
        Chinese = "您在该账户中的角色无权执行此操作",
    };

    /// <summary>Something exists already or is in use (HTTP 409).</summary>
    public static PlatformError Conflict(string english, string chinese, string? field = null) => new(BusinessCode.ParameterInvalid, english, field)
    {
        Chinese = chinese,
        Status = 409,
    };

    /// <summary>Too many tries (1303, HTTP 429).</summary>
    public static PlatformError TooOften(TimeSpan wait) => new(BusinessCode.FrequencyExceeded, "Too many tries. Wait and try again")
    {
        Chinese = "尝试次数过多，请稍后再试",
        RetryAfter = wait,
    };

    /// <summary>A bound on how many there may be (HTTP 409).</summary>
    public static PlatformError TooMany(string kind, string chinese, int most) =>
        Conflict($"There are too many {kind} already: at most {most.ToString(CultureInfo.InvariantCulture)}. Delete one first", $"{chinese}数量已达上限 {most.ToString(CultureInfo.InvariantCulture)}");

    /// <summary>Checks a name that people read: 1 to 100 characters, no control characters.</summary>
    public static PlatformError? CheckName(string name, string field = "name")
    {
        if (name.Length is < 1 or > 100 || string.IsNullOrWhiteSpace(name))
            return PlatformError.Invalid(field, string.Create(CultureInfo.InvariantCulture, $"it has {name.Length} characters"), "Use 1 to 100 characters, not only blanks");
        foreach (System.Text.Rune rune in name.EnumerateRunes())
        {
            if (System.Text.Rune.IsControl(rune) || rune.Value == 0xFFFD)
                return PlatformError.Invalid(field, "it has control characters or is not valid text", "Use printable characters");
        }

        return null;
    }
}
