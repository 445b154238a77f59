using System.Globalization;
using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Server.Rerank;

/// <summary>A request to score documents.</summary>
/// <param name="Model">Code as sent; null for whichever scores.</param>
/// <param name="Query">What is looked for.</param>
/// <param name="Documents">At least one.</param>
/// <param name="Top">How many of the best to tell; 0 for all.</param>
/// <param name="ReturnsDocuments">Whether their texts come back.</param>
/// <param name="RawScores">Whether the model's own measure is told.</param>
/// <param name="RequestId">The client's id; null when it gave none.</param>
/// <param name="EndUser">The client's end user; null when it named none.</param>
internal sealed record RerankRequest(
    string? Model, string Query, IReadOnlyList<string> Documents, int Top, bool ReturnsDocuments, bool RawScores, string? RequestId, string? EndUser)
{
    private const int MaxLength = 4096;
    private const int MaxDocuments = 128;
    private const int MaxLengthOfOthers = 1 << 16;
    private const int MaxDocumentsOfOthers = 1024;
    private const string Legal = "Send a list of strings";
    private const string LegalOfOthers = "Send a list of strings, or of objects such as {\"text\":\"…\"}";

    /// <summary>Reads the platform's own form (spec: api.md §12.2).</summary>
    public static (RerankRequest? Request, PlatformError? Error) ReadNative(FieldReader body)
    {
        string? model = body.Text("model", required: true, min: 1, max: 128);
        string? query = body.Text("query", required: true, min: 1, max: MaxLength);
        if (!body.Has("documents") && body.Error is null)
            body.Fail(PlatformError.Missing("documents", Legal));
        IReadOnlyList<string> documents = ReadTexts(body, "documents", MaxDocuments, MaxLength, objects: false);
        var request = new RerankRequest(
            model,
            query ?? "",
            documents,
            (int)(body.Whole("top_n", 0, MaxDocuments) ?? 0),
            body.Flag("return_documents") ?? false,
            body.Flag("return_raw_scores") ?? false,
            body.Text("request_id", min: 6, max: 64, numbers: true),
            body.Text("user_id", min: 6, max: 128, numbers: true));
        return body.Error is { } error ? (null, error) : (request, null);
    }

    /// <summary>Reads the form that Jina, Cohere, vLLM and llama.cpp's server share.</summary>
    public static (RerankRequest? Request, PlatformError? Error) ReadOther(FieldReader body)
    {
        string? model = body.Text("model", min: 1, max: 256);
        string? query = body.Text("query", required: true, min: 1, max: MaxLengthOfOthers);
        string field = !body.Has("documents") && body.Has("texts") ? "texts" : "documents";
        if (!body.Has(field) && body.Error is null)
            body.Fail(PlatformError.Missing("documents", LegalOfOthers));
        IReadOnlyList<string> documents = ReadTexts(body, field, MaxDocumentsOfOthers, MaxLengthOfOthers, objects: true);
        var request = new RerankRequest(
            model,
            query ?? "",
            documents,
            (int)(body.Whole("top_n", 0, int.MaxValue) ?? 0),
            body.Flag("return_documents") ?? body.Flag("return_text") ?? false,
            body.Flag("raw_scores") ?? false,
            null,
            body.Text("user", max: 512));
        return body.Error is { } error ? (null, error) : (request, null);
    }

    private static List<string> ReadTexts(FieldReader body, string field, int maxCount, int maxLength, bool objects)
    {
        List<string> texts = [];
        if (!body.TryGet(field, out JsonElement list))
            return texts;
        string legal = string.Create(CultureInfo.InvariantCulture, $"{(objects ? LegalOfOthers : Legal)}, 1 to {maxCount} of 1 to {maxLength} characters");
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
        {
            body.Fail(PlatformError.Invalid(field, $"it is {FieldReader.Describe(list)}", legal));
            return texts;
        }

        if (list.GetArrayLength() > maxCount)
        {
            body.Fail(PlatformError.Invalid(field, string.Create(CultureInfo.InvariantCulture, $"it has {list.GetArrayLength()} items"), legal));
            return texts;
        }

        foreach (JsonElement item in list.EnumerateArray())
        {
            JsonElement value = objects && item.ValueKind == JsonValueKind.Object && item.TryGetProperty("text", out JsonElement inner) ? inner : item;
            if (value.ValueKind != JsonValueKind.String || value.GetString() is not { Length: > 0 } text || text.Length > maxLength)
            {
                string problem = value.ValueKind == JsonValueKind.String && value.GetString()!.Length > maxLength
                    ? string.Create(CultureInfo.InvariantCulture, $"it has {value.GetString()!.Length} characters")
                    : $"it is {FieldReader.Describe(value)}";
                body.Fail(PlatformError.Invalid(body.PathOf(string.Create(CultureInfo.InvariantCulture, $"{field}[{texts.Count}]")), problem, legal));
                return texts;
            }

            texts.Add(text);
        }

        return texts;
    }
}
