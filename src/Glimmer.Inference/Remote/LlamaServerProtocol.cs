using System.Globalization;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints.Gbnf;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;

namespace Glimmer.Inference.Remote;

/// <summary>llama.cpp's own <c>/completion</c>. The fields and the version they were read in: docs/backends-remote.md.</summary>
internal sealed class LlamaServerProtocol : IEngineProtocol
{
    private static readonly string[] _samplers = ["penalties", "temperature", "top_k", "top_p", "min_p"];

    /// <inheritdoc/>
    public string Path => "/completion";

    /// <inheritdoc/>
    public GbnfDialect Grammars => GbnfDialect.Llama;

    /// <inheritdoc/>
    public void Write(Utf8JsonWriter json, EngineRequest request)
    {
        SamplingOptions sampling = request.Sampling;
        bool greedy = sampling.Greedy || sampling.Temperature == 0;
        json.WriteStartObject();
        if (request.Model is { } model)
            json.WriteString("model", model);
        json.WriteTokens("prompt", request.Prompt);
        json.WriteBoolean("stream", true);
        json.WriteNumber("n_predict", request.MaxTokens);
        json.WriteBoolean("cache_prompt", true);
        json.WriteBoolean("return_tokens", true);

        // The order that this platform applies them in, and none of those that the server was started with.
        json.WriteStartArray("samplers");
        foreach (string sampler in _samplers)
            json.WriteStringValue(sampler);
        json.WriteEndArray();
        json.WriteNumber("temperature", greedy ? 0 : sampling.Temperature);
        json.WriteNumber("top_k", greedy ? 0 : sampling.TopK);
        json.WriteNumber("top_p", greedy ? 1 : sampling.TopP);
        json.WriteNumber("min_p", greedy ? 0 : sampling.MinP);
        json.WriteNumber("repeat_penalty", sampling.RepetitionPenalty);
        json.WriteNumber("presence_penalty", sampling.PresencePenalty);
        json.WriteNumber("frequency_penalty", sampling.FrequencyPenalty);
        json.WriteNumber("repeat_last_n", request.ContextLength);

        // 32 bits; all ones mean a random seed.
        if (sampling.Seed is { } seed)
            json.WriteNumber("seed", (uint)(seed % uint.MaxValue));
        if (sampling.LogitBias is { Count: > 0 } bias)
        {
            json.WriteStartArray("logit_bias");
            foreach ((int token, float value) in bias)
            {
                json.WriteStartArray();
                json.WriteNumberValue(token);
                json.WriteNumberValue(value);
                json.WriteEndArray();
            }

            json.WriteEndArray();
        }

        if (request.TopLogProbs is { } top)
            json.WriteNumber("n_probs", Math.Max(top, 1));
        if (request.Grammar is { } grammar)
            json.WriteString("grammar", grammar);
        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public void Read(JsonElement data, IReadOnlyList<int> received, TokenBytes vocabulary, EngineChunk chunk)
    {
        if (data.TryGet("error", out _) || data.TryGet("code", out _))
        {
            chunk.Fail(EngineTransport.OneLine(EngineTransport.MessageOf(data) ?? "it does not say what"));
            return;
        }

        chunk.PromptTokens = data.FindCount("tokens_evaluated");
        chunk.CompletionTokens = data.FindCount("tokens_predicted");
        if (data.TryGet("timings", out JsonElement timings))
            chunk.CachedTokens = timings.FindCount("cache_n");
        int[] ids = data.FindTokens("tokens") ?? [];
        bool ends = data.TryGet("stop", out JsonElement stop) && stop.GetBoolean();
        if (!ends && chunk.CompletionTokens - received.Count - ids.Length is > 0 and int missing)
            AddMissing(data.FindText("content") ?? "", ids, missing, vocabulary, chunk);
        bool hasOdds = data.TryGet("completion_probabilities", out JsonElement odds) && odds.ValueKind == JsonValueKind.Array;
        for (int i = 0; i < ids.Length; i++)
        {
            if (!hasOdds || i >= odds.GetArrayLength() || odds[i].FindCount("id") != ids[i])
            {
                chunk.Tokens.Add(new EngineToken(ids[i], null, []));
                continue;
            }

            List<(int, float)> top = odds[i].TryGet("top_logprobs", out JsonElement tops)
                ? [.. tops.EnumerateArray().Select(entry => (entry.GetProperty("id").GetInt32(), JsonReading.LogProbOf(entry.GetProperty("logprob"))))]
                : [];
            chunk.Tokens.Add(new EngineToken(ids[i], odds[i].TryGet("logprob", out JsonElement logProb) ? JsonReading.LogProbOf(logProb) : null, top));
        }

        if (!ends)
            return;
        bool truncated = data.TryGet("truncated", out JsonElement cut) && cut.ValueKind == JsonValueKind.True;
        chunk.Finish = data.FindText("stop_type") switch
        {
            "limit" when truncated => EngineFinish.ContextFull,
            "limit" => EngineFinish.Length,
            "eos" or "word" => EngineFinish.Stop,
            _ => EngineFinish.Fault,
        };
        if (chunk.Finish == EngineFinish.Fault)
            chunk.Error = "the engine ended the answer without a reason";
    }

    /// <inheritdoc/>
    public async Task<EngineStatus> ProbeAsync(EngineTransport transport, CancellationToken cancel)
    {
        if (await transport.FindTextAsync("/health", cancel).ConfigureAwait(false) is null)
            throw EngineException.Failed("The service has no /health; it is no llama-server.");
        using JsonDocument props = await transport.FindJsonAsync("/props", null, cancel).ConfigureAwait(false)
            ?? throw EngineException.Failed("The service has no /props; it is no llama-server.");
        int? running = null, waiting = null;
        double? cache = null;
        if (await transport.FindTextAsync("/metrics", cancel).ConfigureAwait(false) is { } metrics)
        {
            running = Exposition.Count(metrics, "llamacpp:requests_processing");
            waiting = Exposition.Count(metrics, "llamacpp:requests_deferred");
            cache = Exposition.Share(metrics, "llamacpp:kv_cache_usage_ratio");
        }

        if (running is null)
        {
            using JsonDocument? slots = await transport.FindJsonAsync("/slots", null, cancel).ConfigureAwait(false);
            if (slots?.RootElement.ValueKind == JsonValueKind.Array)
                running = slots.RootElement.EnumerateArray().Count(slot => slot.TryGet("is_processing", out JsonElement busy) && busy.ValueKind == JsonValueKind.True);
        }

        JsonElement root = props.RootElement;
        return new EngineStatus
        {
            Server = $"llama-server {EngineTransport.OneLine(root.FindText("build_info") ?? "of an unknown version")}",
            Running = running,
            Waiting = waiting,
            CacheUsage = cache,
            ContextLength = root.TryGet("default_generation_settings", out JsonElement settings) ? settings.FindCount("n_ctx") : null,
            ModelPath = root.FindText("model_path"),
        };
    }

    /// <inheritdoc/>
    public Task<int[]?> TokenizeAsync(EngineTransport transport, string? model, string text, CancellationToken cancel) => EngineTokenize.AskAsync(
        transport,
        model,
        json =>
        {
            json.WriteString("content", text);
            json.WriteBoolean("add_special", false);
            json.WriteBoolean("parse_special", false);
        },
        cancel);

    /// <summary>
    /// A token that ends inside a character is not sent; the event that completes the character has its own id and the whole text. What
    /// comes before its own bytes is what the missing ones said.
    /// </summary>
    private static void AddMissing(string content, int[] ids, int missing, TokenBytes vocabulary, EngineChunk chunk)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(content);
        int length = bytes.Length;
        foreach (int id in ids.Reverse())
        {
            ReadOnlySpan<byte> own = vocabulary.Tokenizer.BytesOf(id);
            if (vocabulary.Tokenizer.KindOf(id) == TokenKind.Text && bytes.AsSpan(0, length).EndsWith(own))
                length -= own.Length;
        }

        if (missing > EngineEvents.MaxEvent)
            throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"The engine counts {missing} tokens that it did not send."));
        foreach (int id in vocabulary.Split(bytes.AsSpan(0, length), missing))
            chunk.Tokens.Add(new EngineToken(id, null, []));
    }
}
