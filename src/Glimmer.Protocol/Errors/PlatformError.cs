using System.Globalization;

namespace Glimmer.Protocol.Errors;

/// <summary>
/// Something the caller did or met that the platform has a code for. A value, not an exception: every dialect knows
/// how to say it.
/// </summary>
/// <param name="Code">The business code.</param>
/// <param name="Message">What is wrong, in English: names the field, the value's problem and a legal value.</param>
/// <param name="Field">Path of the field at fault, e.g. <c>messages[2].content</c>; null when no single field is.</param>
public sealed record PlatformError(BusinessCode Code, string Message, string? Field = null)
{
    private readonly int _status;

    /// <summary>The message in Chinese; null when it is only told in English.</summary>
    public string? Chinese { get; init; }

    /// <summary>HTTP status: the code's own unless set (a body that is too large is 413, a model that loads 503).</summary>
    public int Status
    {
        get => _status != 0 ? _status : Code.HttpStatus();
        init => _status = value;
    }

    /// <summary>Whether <see cref="Status"/> holds in every dialect, also where a dialect has a number of its own for the code.</summary>
    public bool StatusIsFinal { get; init; }

    /// <summary>When to try again; null when waiting does not help or nobody knows.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Of a prompt that is too long: most tokens of prompt and answer together; 0 when nobody knows.</summary>
    public int ContextTokens { get; init; }

    /// <summary>The message in the caller's language, in English where there is no other.</summary>
    public string MessageIn(MessageLanguage language) =>
        language == MessageLanguage.Chinese ? Chinese ?? Message : Message;

    /// <summary>The code's own message with its arguments filled in.</summary>
    public static PlatformError Of(BusinessCode code, params ReadOnlySpan<string> arguments) =>
        new(code, Fill(code, MessageLanguage.English, arguments)) { Chinese = Fill(code, MessageLanguage.Chinese, arguments) };

    /// <summary>1213: a required field is absent.</summary>
    /// <param name="field">Its path.</param>
    /// <param name="legal">What would be legal, in English, as a sentence without its full stop.</param>
    public static PlatformError Missing(string field, string legal) =>
        new(BusinessCode.ParameterMissing, $"The parameter {field} was not received. {legal}.", field)
        {
            Chinese = $"未正常接收到 {field} 参数（{legal}）",
        };

    /// <summary>1214: a field has an illegal value.</summary>
    /// <param name="field">Its path.</param>
    /// <param name="problem">What is wrong, in English, without a full stop.</param>
    /// <param name="legal">What would be legal, in English, as a sentence without its full stop.</param>
    public static PlatformError Invalid(string field, string problem, string legal) =>
        new(BusinessCode.ParameterInvalid, $"The parameter {field} is invalid: {problem}. {legal}.", field)
        {
            Chinese = $"{field} 参数非法：{problem}（{legal}）",
        };

    /// <summary>1212: the model or this server cannot do what a field asks for.</summary>
    /// <param name="field">Its path.</param>
    /// <param name="method">What it asks for: <c>web_search</c>, <c>image_url</c> …</param>
    /// <param name="detail">What to do instead, in English, without a full stop.</param>
    public static PlatformError Unsupported(string field, string method, string detail) =>
        new(BusinessCode.ModelUnsupported, $"The model does not support {method} calls ({field}): {detail}.", field)
        {
            Chinese = $"当前模型不支持 {method} 调用方式（{field}）：{detail}",
        };

    private static string Fill(BusinessCode code, MessageLanguage language, ReadOnlySpan<string> arguments)
    {
        string template = code.Template(language);
        for (int i = 0; i < arguments.Length; i++)
            template = template.Replace("{" + i.ToString(CultureInfo.InvariantCulture) + "}", arguments[i], StringComparison.Ordinal);
        return template;
    }
}
