using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Glimmer.Inference.Relay.Errors;

/// <summary>What a service said in place of an answer.</summary>
/// <param name="Status">HTTP status; 0 for an error inside a stream.</param>
/// <param name="Code">Its code, digits or a word; empty when it has none.</param>
/// <param name="Type">Its kind of error; empty when it has none.</param>
/// <param name="Message">Its words; empty when it has none.</param>
/// <param name="Field">The field that it names; empty when it names none.</param>
internal readonly record struct UpstreamError(int Status, string Code, string Type, string Message, string Field)
{
    /// <summary>Most bytes of a body that are read.</summary>
    public const int MaxBytes = 64 << 10;

    /// <summary>When it says to come back; null when it does not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>
    /// Reads the shapes that services use: <c>{"error":{code,type,message,param}}</c> (the platform, OpenAI, Anthropic), <c>{"error":"…"}</c>,
    /// <c>{"code","msg"|"message"}</c>, <c>{"object":"error",…}</c>, <c>{"detail":…}</c>, a list of one of them, or plain text.
    /// </summary>
    public static UpstreamError Read(int status, ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 32 });
            if (JsonElement.TryParseValue(ref reader, out JsonElement? parsed) && parsed is { } root)
                return Read(status, root);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // Neither JSON nor Unicode: a proxy's page, or a body that was cut.
        }

        return new UpstreamError(status, "", "", Encoding.UTF8.GetString(body.Length <= 2048 ? body : body[..2048]), "");
    }

    /// <summary>Reads an error that is part of something.</summary>
    public static UpstreamError Read(int status, JsonElement root)
    {
        if (root is { ValueKind: JsonValueKind.Array } && root.GetArrayLength() > 0)
            root = root[0];
        if (root.ValueKind != JsonValueKind.Object)
            return new UpstreamError(status, "", "", root.ValueKind == JsonValueKind.String ? Text(root) : "", "");
        JsonElement error = root.TryGetProperty("error"u8, out JsonElement inner) && inner.ValueKind is JsonValueKind.Object or JsonValueKind.String ? inner : root;
        if (error.ValueKind == JsonValueKind.String)
            return new UpstreamError(status, Member(root, "code"u8), Member(root, "type"u8), Text(error), "");
        string message = Member(error, "message"u8);
        if (message.Length == 0)
            message = Member(error, "msg"u8);
        if (message.Length == 0)
            message = Member(error, "detail"u8);
        return new UpstreamError(status, Member(error, "code"u8), Member(error, "type"u8), message, Member(error, "param"u8));
    }

    private static string Member(JsonElement element, ReadOnlySpan<byte> name) => element.TryGetProperty(name, out JsonElement value) ? Text(value) : "";

    private static string Text(JsonElement value)
    {
        try
        {
            return value.ValueKind switch
            {
                JsonValueKind.String => value.GetString()!,
                JsonValueKind.Number or JsonValueKind.Array or JsonValueKind.Object => value.GetRawText(),
                _ => "",
            };
        }
        catch (InvalidOperationException)
        {
            return ""; // half a surrogate pair, or bytes that are no UTF-8
        }
    }

    /// <summary>The business code of the platform, where the service speaks in them; 0 for none.</summary>
    public int BusinessCode => int.TryParse(Code, NumberStyles.None, CultureInfo.InvariantCulture, out int code) && code is 500 or (>= 1000 and < 2000) ? code : 0;
}
