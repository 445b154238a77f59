using System.Collections.Frozen;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Gemini;

/// <summary>Texts of which vectors are asked.</summary>
/// <param name="Texts">At least one.</param>
/// <param name="Dimensions">Numbers to keep of each vector; null for all.</param>
public sealed record GeminiEmbedRequest(IReadOnlyList<string> Texts, int? Dimensions);

/// <summary>Reads bodies of <c>:embedContent</c> and <c>:batchEmbedContents</c>.</summary>
public static class GeminiEmbedReader
{
    private const int MostTexts = 2048;
    private const string ContentLegal = "Send an object such as {\"parts\":[{\"text\":\"…\"}]}";

    private static readonly FrozenSet<string> _names = FrozenSet.Create(StringComparer.Ordinal, "model", "content", "taskType", "title", "outputDimensionality", "embedContentConfig");
    private static readonly FrozenSet<string> _batchNames = FrozenSet.Create(StringComparer.Ordinal, "model", "requests");

    /// <summary>Reads one text.</summary>
    /// <param name="body">The body.</param>
    /// <param name="model">The model of the path.</param>
    public static (GeminiEmbedRequest? Request, PlatformError? Error) Read(FieldReader body, string model)
    {
        (string? text, int? dimensions) = ReadOne(body, model);
        return body.Error is { } error ? (null, error) : (new GeminiEmbedRequest([text!], dimensions), null);
    }

    /// <summary>Reads several texts, which must want the same of the same model.</summary>
    /// <param name="body">The body.</param>
    /// <param name="model">The model of the path.</param>
    public static (GeminiEmbedRequest? Request, PlatformError? Error) ReadBatch(FieldReader body, string model)
    {
        body.Know(_batchNames);
        List<string> texts = [];
        int? dimensions = null;
        foreach (FieldReader item in body.ObjectsOrOne("requests", "Send objects such as {\"content\":{\"parts\":[{\"text\":\"…\"}]}}", required: true, max: MostTexts) ?? [])
        {
            (string? text, int? wanted) = ReadOne(item, model);
            if (text is null)
                break;
            if (texts.Count > 0 && wanted != dimensions)
                item.Fail(PlatformError.Invalid(item.PathOf("outputDimensionality"), "it differs from the first request's", "Ask for the same number in all requests of a batch"));
            dimensions = wanted;
            texts.Add(text);
        }

        if (texts.Count == 0 && body.Error is null)
            body.Fail(PlatformError.Invalid("requests", "it is an empty list", "Send at least one request"));
        return body.Error is { } error ? (null, error) : (new GeminiEmbedRequest(texts, dimensions), null);
    }

    private static (string? Text, int? Dimensions) ReadOne(FieldReader body, string model)
    {
        body.Know(_names);
        if (body.Text("model", max: 256) is { Length: > 0 } named && !named.Equals(model, StringComparison.Ordinal) && !named.Equals("models/" + model, StringComparison.Ordinal))
            body.Fail(PlatformError.Invalid(body.PathOf("model"), "it is another model than the path's", "Send the same, or leave it out"));
        body.Text(body.Spelt("taskType"), max: 64);
        body.Text("title", max: 4096);
        long? dimensions = body.Whole(body.Spelt("outputDimensionality"), 1, 1 << 16);
        if (body.Object("content", ContentLegal, required: true) is not { } content || GeminiContentReader.ReadText(content) is not { } text)
            return (null, null);
        if (text.Length is 0 or > 1 << 20)
            content.Fail(PlatformError.Invalid(content.Path, $"its text has {text.Length} characters", "Send 1 to 1048576"));
        return (body.Error is null ? text : null, (int?)dimensions);
    }
}
