using System.Text.Json;
using Glimmer.Dialogue.Constraints.Gbnf;

namespace Glimmer.Inference.Remote;

/// <summary>SGLang's own <c>/generate</c>. The fields and the versions they were read in: docs/backends-remote.md.</summary>
internal sealed class SGLangProtocol : IEngineProtocol
{
    /// <inheritdoc/>
    public string Path => "/generate";

    /// <inheritdoc/>
    public GbnfDialect Grammars => GbnfDialect.XGrammar;

    /// <inheritdoc/>
    public void Write(Utf8JsonWriter json, EngineRequest request)
    {
        json.WriteStartObject();
        json.WriteTokens("input_ids", request.Prompt);
        json.WriteBoolean("stream", true);
        if (request.TopLogProbs is { } top)
        {
            json.WriteBoolean("return_logprob", true);
            json.WriteNumber("logprob_start_len", -1);
            json.WriteNumber("top_logprobs_num", top);
            json.WriteBoolean("return_text_in_logprobs", false);
        }

        json.WriteStartObject("sampling_params");
        json.WriteNumber("max_new_tokens", request.MaxTokens);
        json.WriteSampling(request);

        // Unknown to older versions, so only where it is asked for.
        if (request.Sampling.Seed is { } seed)
            json.WriteNumber("sampling_seed", (int)(seed & int.MaxValue));
        if (request.Grammar is { } grammar)
            json.WriteString("ebnf", grammar);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public void Read(JsonElement data, IReadOnlyList<int> received, TokenBytes vocabulary, EngineChunk chunk)
    {
        if (data.TryGet("error", out _))
        {
            chunk.Fail(EngineTransport.OneLine(EngineTransport.MessageOf(data) ?? "it does not say what"));
            return;
        }

        JsonElement meta = data.GetProperty("meta_info");
        chunk.PromptTokens = meta.FindCount("prompt_tokens");
        chunk.CompletionTokens = meta.FindCount("completion_tokens");
        chunk.CachedTokens = meta.FindCount("cached_tokens");
        int[] ids = data.FindTokens("output_ids") ?? (data.FindText("text") is { Length: > 0 }
            ? throw new FormatException("The engine sends text without token ids; raw mode needs an SGLang that sends output_ids.")
            : []);

        int first = IsCumulative(ids, received, chunk.CompletionTokens) ? received.Count : 0;
        int added = ids.Length - first;
        bool hasOdds = meta.TryGet("output_token_logprobs", out JsonElement odds) && odds.ValueKind == JsonValueKind.Array;
        bool hasTop = meta.TryGet("output_top_logprobs", out JsonElement tops) && tops.ValueKind == JsonValueKind.Array;
        int oddsFrom = hasOdds ? odds.GetArrayLength() - added : 0;
        int topsFrom = hasTop ? tops.GetArrayLength() - added : 0;
        for (int i = 0; i < added; i++)
        {
            float? logProb = hasOdds && oddsFrom + i >= 0 && odds[oddsFrom + i] is { ValueKind: JsonValueKind.Array } chance ? JsonReading.LogProbOf(chance[0]) : null;
            IReadOnlyList<(int, float)> top = hasTop && topsFrom + i >= 0 && tops[topsFrom + i] is { ValueKind: JsonValueKind.Array } chances
                ? [.. chances.EnumerateArray().Select(entry => (entry[1].GetInt32(), JsonReading.LogProbOf(entry[0])))]
                : [];
            chunk.Tokens.Add(new EngineToken(ids[first + i], logProb, top));
        }

        if (!meta.TryGet("finish_reason", out JsonElement finish))
            return;
        string? type = finish.ValueKind == JsonValueKind.String ? finish.GetString() : finish.FindText("type");
        switch (type)
        {
            case "stop":
                chunk.Finish = EngineFinish.Stop;
                chunk.StopToken = finish.FindCount("matched");
                break;
            case "length":
                chunk.Finish = EngineFinish.Length;
                break;
            default:
                chunk.Fail(EngineTransport.OneLine(finish.FindText("message") ?? $"the engine ended the answer as '{type}'"));
                break;
        }
    }

    /// <summary>Whether ids are all so far, or only what is new: that depends on how the server was started.</summary>
    private static bool IsCumulative(int[] ids, IReadOnlyList<int> received, int? counted)
    {
        if (received.Count == 0 || ids.Length < received.Count)
            return false;
        for (int i = 0; i < received.Count; i++)
        {
            if (ids[i] != received[i])
                return false;
        }

        // What begins like all before may be new all the same; the count says it.
        return counted != received.Count + ids.Length;
    }

    /// <inheritdoc/>
    public async Task<EngineStatus> ProbeAsync(EngineTransport transport, CancellationToken cancel)
    {
        if (await transport.FindTextAsync("/health", cancel).ConfigureAwait(false) is null)
            throw EngineException.Failed("The service has no /health; it is no SGLang.");

        // The names of 2025, and those that took their place.
        using JsonDocument info = await transport.FindJsonAsync("/get_model_info", null, cancel).ConfigureAwait(false)
            ?? await transport.FindJsonAsync("/model_info", null, cancel).ConfigureAwait(false)
            ?? throw EngineException.Failed("The service has neither /get_model_info nor /model_info; it is no SGLang.");
        if (info.RootElement.TryGet("is_generation", out JsonElement generates) && generates.ValueKind == JsonValueKind.False)
            throw EngineException.Failed("The model of this SGLang does not generate.");
        using JsonDocument? server = await transport.FindJsonAsync("/get_server_info", null, cancel).ConfigureAwait(false)
            ?? await transport.FindJsonAsync("/server_info", null, cancel).ConfigureAwait(false);
        using JsonDocument? models = await transport.FindJsonAsync("/v1/models", null, cancel).ConfigureAwait(false);
        int? context = server?.RootElement.FindCount("context_length");
        if (models is not null && models.RootElement.TryGet("data", out JsonElement list) && list.ValueKind == JsonValueKind.Array && list.GetArrayLength() > 0)
            context = list[0].FindCount("max_model_len") ?? context;
        string? metrics = await transport.FindTextAsync("/metrics", cancel).ConfigureAwait(false);
        return new EngineStatus
        {
            Server = $"SGLang {EngineTransport.OneLine(server?.RootElement.FindText("version") ?? "of an unknown version")}",
            Running = Exposition.Count(metrics, "sglang:num_running_reqs"),
            Waiting = Exposition.Count(metrics, "sglang:num_queue_reqs"),
            CacheUsage = Exposition.Share(metrics, "sglang:token_usage"),
            ContextLength = context,
            ModelPath = info.RootElement.FindText("tokenizer_path") ?? info.RootElement.FindText("model_path"),
        };
    }

    /// <inheritdoc/>
    public Task<int[]?> TokenizeAsync(EngineTransport transport, string? model, string text, CancellationToken cancel) =>
        EngineTokenize.AskPlainAsync(transport, model, text, cancel);
}
