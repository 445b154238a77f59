using System.Globalization;
using System.Text.Json;
using Glimmer.Engine;

namespace Glimmer.Inference.Remote;

/// <summary>Members that several engines share.</summary>
internal static class JsonWriting
{
    /// <summary>An array of ids.</summary>
    public static void WriteTokens(this Utf8JsonWriter json, string name, IEnumerable<int> tokens)
    {
        json.WriteStartArray(name);
        foreach (int token in tokens)
            json.WriteNumberValue(token);
        json.WriteEndArray();
    }

    /// <summary>How tokens are chosen and what ends them, as vLLM and SGLang call it; the seed has names of its own.</summary>
    public static void WriteSampling(this Utf8JsonWriter json, EngineRequest request)
    {
        SamplingOptions sampling = request.Sampling;
        bool greedy = sampling.Greedy || sampling.Temperature == 0;
        json.WriteNumber("temperature", greedy ? 0 : sampling.Temperature);
        json.WriteNumber("top_p", greedy ? 1 : sampling.TopP);
        json.WriteNumber("top_k", greedy || sampling.TopK == 0 ? -1 : sampling.TopK);
        json.WriteNumber("min_p", greedy ? 0 : sampling.MinP);
        json.WriteNumber("repetition_penalty", sampling.RepetitionPenalty);
        json.WriteNumber("presence_penalty", sampling.PresencePenalty);
        json.WriteNumber("frequency_penalty", sampling.FrequencyPenalty);
        json.WriteBias(sampling.LogitBias);
        json.WriteTokens("stop_token_ids", request.StopTokens);
        json.WriteBoolean("skip_special_tokens", false);
        json.WriteBoolean("spaces_between_special_tokens", false);
    }

    /// <summary><c>logit_bias</c> as an object by id; nothing when there is none.</summary>
    private static void WriteBias(this Utf8JsonWriter json, IReadOnlyDictionary<int, float>? bias)
    {
        if (bias is null || bias.Count == 0)
            return;
        json.WriteStartObject("logit_bias");
        foreach ((int token, float value) in bias)
            json.WriteNumber(token.ToString(CultureInfo.InvariantCulture), value);
        json.WriteEndObject();
    }
}
