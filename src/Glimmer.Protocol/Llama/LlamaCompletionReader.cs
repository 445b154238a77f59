using System.Text;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.OpenAI;

namespace Glimmer.Protocol.Llama;

/// <summary>Reads the bodies of llama.cpp's <c>/completion</c> and <c>/infill</c>. A member that is not named here has no effect.</summary>
public static class LlamaCompletionReader
{
    private const int MaxStops = 64;
    private const int MaxGrammarLength = 1 << 16;
    private const int MaxLogProbs = 20;

    /// <summary>Reads <c>/completion</c>. A limit of 0 tokens asks that the prompt be read and nothing be said.</summary>
    public static (ChatCompletionRequest? Request, PlatformError? Error) ReadCompletion(FieldReader body) =>
        Finish(body, RawPromptReader.Read(body, "prompt", 1, null));

    /// <summary>Reads <c>/infill</c>: the code before the gap, what has been typed there, and the code after it.</summary>
    public static (ChatCompletionRequest? Request, PlatformError? Error) ReadInfill(FieldReader body)
    {
        foreach (string field in (string[])["input_prefix", "input_suffix"])
        {
            if (!body.Has(field) && body.Error is null)
                body.Fail(PlatformError.Missing(field, "Send a string"));
        }

        var before = new StringBuilder();
        foreach (FieldReader extra in body.Objects("input_extra", "Send objects such as {\"filename\":\"a.py\",\"text\":\"…\"}", max: 1024) ?? [])
            before.Append(extra.Text("filename") ?? "").Append('\n').Append(extra.Text("text", required: true)).Append('\n');
        before.Append(body.Text("input_prefix")).Append(body.Text("prompt"));
        return Finish(body, [new WireRawPrompt(before.ToString(), null, body.Text("input_suffix") ?? "", "input_suffix")]);
    }

    private static (ChatCompletionRequest? Request, PlatformError? Error) Finish(FieldReader body, IReadOnlyList<WireRawPrompt> prompts)
    {
        // -1 is as much as the model can, as without it; 0 reads the prompt and says nothing.
        long limit = body.Whole("n_predict", -2, int.MaxValue) ?? body.Whole("max_tokens", -1, int.MaxValue) ?? -1;
        long? seed = body.Whole("seed", -1, uint.MaxValue);
        double? temperature = body.Number("temperature", 0, 100);
        var request = new ChatCompletionRequest
        {
            Dialect = WireDialect.OpenAI,
            Model = body.Text("model", max: 256) ?? "",
            Messages = [],
            Stream = body.Flag("stream") ?? false,
            Thinking = false,
            DoSample = temperature is not 0,
            Temperature = temperature is { } warm ? Math.Min(warm, 2) : null,
            TopP = body.Number("top_p", 0, 1) is { } topP ? Math.Max(topP, 0.01) : null,
            TopK = body.Whole("top_k", -1, int.MaxValue) is { } topK ? (int)Math.Max(topK, 0) : null,
            MinP = body.Number("min_p", 0, 1),
            RepetitionPenalty = body.Number("repeat_penalty", 0.01, 10),
            PresencePenalty = body.Number("presence_penalty", -2, 2),
            FrequencyPenalty = body.Number("frequency_penalty", -2, 2),
            LogitBias = ReadBias(body),
            TopLogProbs = body.Whole("n_probs", 0, MaxLogProbs) is { } probs and > 0 ? (int)probs : null,
            MaxTokens = limit >= 0 ? (int)Math.Min(limit, ChatRequestReader.MaxMaxTokens) : null,
            Seed = seed < 0 ? null : seed,
            Stop = body.Texts("stop", MaxStops, 1, 4096) ?? [],
            ResponseFormat = ReadFormat(body),
            Raw = prompts.Count > 0 ? prompts[0] : null,
        };
        return body.Error is { } error ? (null, error) : (request, null);
    }

    private static WireResponseFormat ReadFormat(FieldReader body)
    {
        if (body.TryGet("json_schema", out JsonElement schema) && schema.ValueKind == JsonValueKind.Object)
            return new WireResponseFormat("json_schema", schema.Clone(), false);
        return body.Text("grammar", max: MaxGrammarLength) is { Length: > 0 } grammar ? new WireResponseFormat("grammar", null, false, grammar) : new WireResponseFormat("text", null, false);
    }

    /// <summary>Pairs of an id and a number, or of an id and false for never; or an object of them.</summary>
    private static IReadOnlyDictionary<int, float>? ReadBias(FieldReader body)
    {
        if (!body.TryGet("logit_bias", out JsonElement bias) || bias.ValueKind == JsonValueKind.Array && bias.GetArrayLength() == 0)
            return null;
        if (bias.ValueKind == JsonValueKind.Object)
            return ChatRequestReader.ReadBias(body);
        const string Legal = "Send pairs such as [[15043,-1.5],[2,false]], at most 1024";
        Dictionary<int, float> read = [];
        bool isLegal = bias.ValueKind == JsonValueKind.Array && bias.GetArrayLength() <= 1024;
        foreach (JsonElement pair in isLegal ? bias.EnumerateArray() : default)
            isLegal = isLegal && ReadPair(pair, read);
        if (isLegal)
            return read;
        body.Fail(PlatformError.Invalid("logit_bias", "it is of another form", Legal));
        return null;
    }

    private static bool ReadPair(JsonElement pair, Dictionary<int, float> read)
    {
        if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2 || pair[0].ValueKind != JsonValueKind.Number || !pair[0].TryGetInt32(out int id) || id < 0)
            return false;
        float amount = -100;
        if (pair[1].ValueKind != JsonValueKind.False && (pair[1].ValueKind != JsonValueKind.Number || !pair[1].TryGetSingle(out amount) || !float.IsFinite(amount)))
            return false;
        read[id] = Math.Clamp(amount, -100, 100);
        return true;
    }
}
