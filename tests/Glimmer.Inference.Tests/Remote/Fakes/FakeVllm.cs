using System.Text.Json;
using System.Text.Json.Nodes;

namespace Glimmer.Inference.Tests.Remote.Fakes;

/// <summary>vLLM 0.11 and later (vllm/entrypoints/openai/completion/protocol.py and serving.py); by its version also what came before.</summary>
internal sealed class FakeVllm : FakeEngine
{
    public string? Version { get; set; } = "0.11.2";

    public string Model { get; set; } = "glimmer-tiny";

    /// <summary>How many tokens come in one event.</summary>
    public int PerEvent { get; set; } = 1;

    /// <summary>Added to the count of tokens that is told.</summary>
    public int Lie { get; set; }

    private bool ReturnsIds => Version is null || !Version.StartsWith("0.9", StringComparison.Ordinal);

    protected override string StreamPath => "/v1/completions";

    protected override Task<object?> AnswerAsync(string path, JsonObject? body) => Task.FromResult<object?>(path switch
    {
        "/health" => "",
        "/version" when Version is not null => new { version = Version },
        "/v1/models" => new { @object = "list", data = new[] { new { id = Model, @object = "model", created = 1, owned_by = "vllm", root = "/models/tiny", max_model_len = ContextLength } } },
        "/metrics" => $"# HELP vllm:num_requests_running x\nvllm:num_requests_running{{engine=\"0\",model_name=\"{Model}\"}} 3.0\nvllm:num_requests_waiting{{engine=\"0\",model_name=\"{Model}\"}} 2.0\nvllm:kv_cache_usage_perc{{engine=\"0\"}} 0.25\n",
        "/tokenize" => Tokenized(body!),
        _ => null,
    });

    protected override FakeCall ReadCall(JsonObject body)
    {
        Check(
            body,
            "",
            [
                ("model", node => IsText(node) && node.GetValue<string>() == Model),
                ("prompt", IsTokens),
                ("stream", IsFlag),
                ("stream_options", node => node is JsonObject { Count: 1 } options && options.ContainsKey("include_usage")),
                ("max_tokens", IsInteger(1)),
                ("temperature", IsNumber(0, 2)),
                ("top_p", node => IsNumber(0, 1)(node) && node.GetValue<double>() > 0),
                ("top_k", IsInteger(-1)),
                ("min_p", IsNumber(0, 1)),
                ("repetition_penalty", node => IsNumber(0)(node) && node.GetValue<double>() > 0),
                ("presence_penalty", IsNumber(-2, 2)),
                ("frequency_penalty", IsNumber(-2, 2)),
                ("seed", IsInteger(long.MinValue)),
                ("logit_bias", IsBiasObject),
                ("stop_token_ids", IsTokens),
                ("skip_special_tokens", IsFlag),
                ("spaces_between_special_tokens", IsFlag),
                ("logprobs", IsInteger(0, 20)),
                ("return_tokens_as_token_ids", IsFlag),
                .. ReturnsIds ? [("return_token_ids", IsFlag), ("structured_outputs", IsGrammar)] : new (string, Func<JsonNode, bool>)[] { ("guided_grammar", IsText) },
            ]);
        return new FakeCall(
            [.. body["prompt"]!.AsArray().Select(id => id!.GetValue<int>())],
            body["max_tokens"]?.GetValue<int>() ?? 16,
            TokensOf(body["stop_token_ids"]),
            (body["structured_outputs"]?["grammar"] ?? body["guided_grammar"])?.GetValue<string>(),
            body["logprobs"]?.GetValue<int>(),
            body);
    }

    protected override IEnumerable<string> Events(FakeCall call, List<int> tokens, bool stopped)
    {
        for (int i = 0; i < tokens.Count; i += PerEvent)
        {
            int[] delta = [.. tokens.Skip(i).Take(PerEvent)];
            bool last = i + PerEvent >= tokens.Count;
            JsonObject choice = new()
            {
                ["index"] = 0,
                ["text"] = "…",
                ["logprobs"] = call.LogProbs is { } top ? LogProbs(delta, top) : null,
                ["finish_reason"] = !last ? null : stopped ? "stop" : "length",
                ["stop_reason"] = last && stopped ? delta[^1] : null,
            };
            if (call.Body["return_token_ids"] is not null)
                choice["token_ids"] = new JsonArray([.. delta.Select(id => JsonValue.Create(id))]);
            yield return JsonSerializer.Serialize(new { id = "cmpl-1", @object = "text_completion", created = 1, model = Model, choices = new[] { choice } });
        }

        int counted = tokens.Count + Lie;
        yield return JsonSerializer.Serialize(new
        {
            id = "cmpl-1",
            @object = "text_completion",
            created = 1,
            model = Model,
            choices = Array.Empty<object>(),
            usage = new { prompt_tokens = call.Prompt.Length, total_tokens = call.Prompt.Length + counted, completion_tokens = counted, prompt_tokens_details = new { cached_tokens = 4 } },
        });
        yield return "[DONE]";
    }

    private static bool IsGrammar(JsonNode node) => node is JsonObject { Count: 1 } options && options["grammar"] is { } grammar && IsText(grammar);

    private static object Tokenized(JsonObject body)
    {
        Check(body, "", ("model", IsText), ("prompt", IsText), ("add_special_tokens", IsFlag));
        int[] tokens = Tokenize(body["prompt"]!.GetValue<string>());
        return new { count = tokens.Length, max_model_len = 512, tokens, token_strs = (object?)null };
    }

    private static JsonObject LogProbs(int[] tokens, int top) => new()
    {
        ["text_offset"] = new JsonArray([.. tokens.Select((_, i) => JsonValue.Create(i))]),
        ["token_logprobs"] = new JsonArray([.. tokens.Select(_ => JsonValue.Create(-0.5))]),
        ["tokens"] = new JsonArray([.. tokens.Select(id => JsonValue.Create($"token_id:{id}"))]),

        // The one that was said and the most likely ones, which it is among.
        ["top_logprobs"] = new JsonArray([.. tokens.Select(id =>
        {
            JsonObject odds = new() { [$"token_id:{id}"] = -0.5 };
            for (int i = 1; i < top; i++)
                odds[$"token_id:{(id + i) % 8000}"] = -0.5 - i;
            return odds;
        })]),
    };
}
