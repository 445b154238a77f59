using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using Glimmer.Protocol.Errors;

namespace Glimmer.Protocol.Json;

/// <summary>A request body that has been read as JSON.</summary>
public sealed class JsonBody : IDisposable
{
    private readonly JsonDocument _document;

    private JsonBody(JsonDocument document)
    {
        _document = document;
        Root = new FieldReader(document.RootElement, FieldPath.Root, new FieldReader.State());
    }

    /// <summary>Most values and names in a body. What is parsed takes a dozen bytes for each, and the shortest are two bytes long.</summary>
    public const int MaxTokens = 2_000_000;

    /// <summary>Bodies up to this size cannot hold so many that it matters.</summary>
    private const int UncountedBytes = 1 << 20;

    /// <summary>Reader of the outermost object. Its first error is <see cref="FieldReader.Error"/>.</summary>
    public FieldReader Root { get; }

    /// <summary>
    /// Reads a body that must hold one JSON object in UTF-8 (a byte order mark is skipped). Half of a surrogate pair in
    /// an escape (<c>\ud83d</c> alone, as clients send that cut a text in the middle of an emoji) is replaced in place
    /// by U+FFFD. The memory must stay unchanged until the body is disposed.
    /// </summary>
    /// <returns>The body, or the error when there is none.</returns>
    public static (JsonBody? Body, PlatformError? Error) Parse(Memory<byte> utf8)
    {
        if (utf8.Span.StartsWith("\uFEFF"u8))
            utf8 = utf8[3..];
        if (utf8.Span.IndexOfAnyExcept(" \t\r\n"u8) < 0)
            return (null, NotJson("it is empty"));
        if (!Utf8.IsValid(utf8.Span))
            return (null, NotJson("it is not UTF-8"));
        SurrogateRepair.Repair(utf8.Span);

        JsonDocument document;
        try
        {
            if (utf8.Length > UncountedBytes && HasTooManyTokens(utf8.Span))
                return (null, NotJson($"it holds more than {MaxTokens} values"));
            document = JsonDocument.Parse(utf8, WireJson.ReaderOptions);
        }
        catch (JsonException fault)
        {
            return (null, NotJson(Place(fault)));
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            document.Dispose();
            return (null, NotJson("it is not an object"));
        }

        return (new JsonBody(document), null);
    }

    /// <summary>Returns the parsed data; elements that were not cloned can no longer be read.</summary>
    public void Dispose() => _document.Dispose();

    private static bool HasTooManyTokens(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = WireJson.MaxDepth });
        for (int count = 0; reader.Read(); count++)
        {
            if (count == MaxTokens)
                return true;
        }

        return false;
    }

    private static string Place(JsonException fault)
    {
        string reason = fault.Message.Contains("maximum", StringComparison.Ordinal)
            ? string.Create(CultureInfo.InvariantCulture, $"it is nested deeper than {WireJson.MaxDepth} levels")
            : "it is malformed";
        return string.Create(
            CultureInfo.InvariantCulture, $"{reason} at line {fault.LineNumber + 1}, byte {fault.BytePositionInLine + 1}");
    }

    private static PlatformError NotJson(string problem) =>
        new(BusinessCode.CallIncorrect, $"The request body cannot be read: {problem}. Send one JSON object in UTF-8.")
        {
            Chinese = $"无法读取请求体：{problem}。请发送一个 UTF-8 编码的 JSON 对象。",
        };
}
