using System.Globalization;
using System.Text.Json;
using Glimmer.Dialogue.Constraints.Gbnf;

namespace Glimmer.Inference.Remote;

/// <summary>vLLM's completions with token ids both ways. The fields and the versions they were read in: docs/backends-remote.md.</summary>
internal sealed class VllmProtocol : IEngineProtocol
{
    // First versions with each form.
    private static readonly Version _returnsIds = new(0, 10, 2);
    private static readonly Version _structuredOutputs = new(0, 11, 0);

    private volatile Version? _version;

    /// <inheritdoc/>
    public string Path => "/v1/completions";

    /// <inheritdoc/>
    public GbnfDialect Grammars => GbnfDialect.XGrammar;

    /// <inheritdoc/>
    public void Write(Utf8JsonWriter json, EngineRequest request)
    {
        json.WriteStartObject();
        json.WriteString("model", request.Model);
        json.WriteTokens("prompt", request.Prompt);
        json.WriteBoolean("stream", true);
        json.WriteStartObject("stream_options");
        json.WriteBoolean("include_usage", true);
        json.WriteEndObject();
        json.WriteNumber("max_tokens", request.MaxTokens);

        // What is left out would be taken from the server's own defaults.
        json.WriteSampling(request);
        if (request.Sampling.Seed is { } seed)
            json.WriteNumber("seed", (long)(seed & long.MaxValue));
        if (_version is null || _version >= _returnsIds)
            json.WriteBoolean("return_token_ids", true);
        if (request.TopLogProbs is not null || _version is null || _version < _returnsIds)
        {
            json.WriteNumber("logprobs", request.TopLogProbs ?? 0);
            json.WriteBoolean("return_tokens_as_token_ids", true);
        }

        if (request.Grammar is { } grammar)
        {
            if (_version is null || _version >= _structuredOutputs)
            {
                json.WriteStartObject("structured_outputs");
                json.WriteString("grammar", grammar);
                json.WriteEndObject();
            }
            else
            {
                json.WriteString("guided_grammar", grammar);
            }
        }

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

        if (data.TryGet("usage", out JsonElement usage))
        {
            chunk.PromptTokens = usage.FindCount("prompt_tokens");
            chunk.CompletionTokens = usage.FindCount("completion_tokens");
            if (usage.TryGet("prompt_tokens_details", out JsonElement details))
                chunk.CachedTokens = details.FindCount("cached_tokens");
        }

        foreach (JsonElement choice in data.GetProperty("choices").EnumerateArray())
        {
            bool hasOdds = choice.TryGet("logprobs", out JsonElement odds);
            JsonElement names = default, chances = default, tops = default;
            if (hasOdds)
            {
                names = odds.GetProperty("tokens");
                chances = odds.GetProperty("token_logprobs");
                hasOdds = odds.TryGet("top_logprobs", out tops);
            }

            int[]? ids = choice.FindTokens("token_ids");
            if (ids is null && names.ValueKind == JsonValueKind.Array)
                ids = [.. names.EnumerateArray().Select(name => IdOf(name.GetString()!))];
            if (ids is null && choice.FindText("text") is { Length: > 0 })
                throw new FormatException("The engine sends text without token ids; raw mode needs vLLM 0.6 or later.");
            for (int i = 0; i < ids?.Length; i++)
            {
                bool told = hasOdds && i < chances.GetArrayLength() && i < tops.GetArrayLength();
                chunk.Tokens.Add(new EngineToken(ids[i], told ? JsonReading.LogProbOf(chances[i]) : null, told ? Top(tops[i]) : []));
            }

            if (choice.FindText("finish_reason") is not { } finish)
                continue;
            chunk.Finish = finish switch
            {
                "stop" => EngineFinish.Stop,
                "length" => EngineFinish.Length,
                _ => EngineFinish.Fault,
            };
            if (chunk.Finish == EngineFinish.Fault)
                chunk.Error = $"the engine ended the answer as '{EngineTransport.OneLine(finish)}'";
            chunk.StopToken = choice.FindCount("stop_reason");
        }
    }

    /// <inheritdoc/>
    public async Task<EngineStatus> ProbeAsync(EngineTransport transport, CancellationToken cancel)
    {
        if (await transport.FindTextAsync("/health", cancel).ConfigureAwait(false) is null)
            throw EngineException.Failed("The service has no /health; it is no vLLM.");
        using JsonDocument? version = await transport.FindJsonAsync("/version", null, cancel).ConfigureAwait(false);
        string? number = version?.RootElement.FindText("version");
        _version = VersionOf(number);
        using JsonDocument models = await transport.FindJsonAsync("/v1/models", null, cancel).ConfigureAwait(false)
            ?? throw EngineException.Failed("The service has no /v1/models; it is no vLLM.");
        Dictionary<string, int?> known = new(StringComparer.Ordinal);
        if (models.RootElement.TryGet("data", out JsonElement list) && list.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement model in list.EnumerateArray())
            {
                if (model.FindText("id") is { } id)
                    known[id] = model.FindCount("max_model_len");
            }
        }

        string? metrics = await transport.FindTextAsync("/metrics", cancel).ConfigureAwait(false);
        return new EngineStatus
        {
            Server = $"vLLM {EngineTransport.OneLine(number ?? "of an unknown version")}",
            Running = Exposition.Count(metrics, "vllm:num_requests_running"),
            Waiting = Exposition.Count(metrics, "vllm:num_requests_waiting"),
            CacheUsage = Exposition.Share(metrics, "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
            Models = known,
        };
    }

    /// <inheritdoc/>
    public async Task<int[]?> TokenizeAsync(EngineTransport transport, string? model, string text, CancellationToken cancel) =>
        await EngineTokenize.AskPlainAsync(transport, model, text, cancel).ConfigureAwait(false);

    private static List<(int Id, float LogProb)> Top(JsonElement top)
    {
        List<(int, float)> chances = [];
        if (top.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty chance in top.EnumerateObject())
                chances.Add((IdOf(chance.Name), JsonReading.LogProbOf(chance.Value)));
        }

        return chances;
    }

    private static int IdOf(string name) =>
        name.StartsWith("token_id:", StringComparison.Ordinal)
            ? int.Parse(name.AsSpan("token_id:".Length), NumberStyles.None, CultureInfo.InvariantCulture)
            : throw new FormatException("The engine names a token by its text where its id was asked for.");

    /// <summary>The numbers that a version begins with, as in <c>0.11.0rc2.dev12</c>; null when there are none.</summary>
    internal static Version? VersionOf(string? text)
    {
        string numbers = new([.. (text ?? "").TrimStart('v').TakeWhile(c => char.IsAsciiDigit(c) || c == '.')]);
        string[] parts = numbers.Split('.', StringSplitOptions.RemoveEmptyEntries);
        return parts.Length >= 2 && Version.TryParse(string.Join('.', parts.Take(3)), out Version? version)
            ? version.Build < 0 ? new Version(version.Major, version.Minor, 0) : version
            : null;
    }
}
