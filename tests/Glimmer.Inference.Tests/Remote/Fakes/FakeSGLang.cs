using System.Text.Json;
using System.Text.Json.Nodes;

namespace Glimmer.Inference.Tests.Remote.Fakes;

/// <summary>SGLang 0.5 (python/sglang/srt/managers/io_struct.py, tokenizer_manager.py, sampling/sampling_params.py, entrypoints/http_server.py).</summary>
internal sealed class FakeSGLang : FakeEngine
{
    /// <summary>Whether events hold only what is new, as with --incremental-streaming-output.</summary>
    public bool Incremental { get; set; }

    public bool HasTokenize { get; set; } = true;

    /// <summary>Whether the token that stopped is named only, not sent.</summary>
    public bool TrimsStop { get; set; }

    /// <summary>Whether what tells of the model and the server has lost its old names.</summary>
    public bool HasNewNames { get; set; }

    protected override string StreamPath => "/generate";

    protected override Task<object?> AnswerAsync(string path, JsonObject? body) => Task.FromResult<object?>(path switch
    {
        "/health" => "",
        "/get_model_info" or "/get_server_info" when HasNewNames => null,
        "/model_info" or "/server_info" when !HasNewNames => null,
        "/get_model_info" or "/model_info" => new { model_path = "/models/tiny", tokenizer_path = "/models/tiny", is_generation = true, preferred_sampling_params = (object?)null, weight_version = "default" },
        "/get_server_info" or "/server_info" => new { version = "0.5.5", context_length = (int?)null, internal_states = Array.Empty<object>() },
        "/v1/models" => new { @object = "list", data = new[] { new { id = "tiny", @object = "model", max_model_len = ContextLength } } },
        "/metrics" => "sglang:num_running_reqs{model_name=\"tiny\"} 1.0\nsglang:num_queue_reqs{model_name=\"tiny\"} 0.0\nsglang:token_usage{model_name=\"tiny\"} 0.5\n",
        "/tokenize" when HasTokenize => Tokenized(body!),
        _ => null,
    });

    protected override FakeCall ReadCall(JsonObject body)
    {
        Check(
            body,
            "",
            ("input_ids", IsTokens),
            ("stream", IsFlag),
            ("return_logprob", IsFlag),
            ("logprob_start_len", IsInteger(-1)),
            ("top_logprobs_num", IsInteger(0)),
            ("return_text_in_logprobs", IsFlag),
            ("sampling_params", node => node is JsonObject));
        JsonObject sampling = body["sampling_params"]!.AsObject();
        Check(
            sampling,
            "sampling_params.",
            ("max_new_tokens", IsInteger(0)),
            ("temperature", IsNumber(0)),
            ("top_p", node => IsNumber(0, 1)(node) && node.GetValue<double>() > 0),
            ("top_k", node => IsInteger(-1)(node) && node.GetValue<int>() != 0),
            ("min_p", IsNumber(0, 1)),
            ("repetition_penalty", node => IsNumber(0, 2)(node) && node.GetValue<double>() > 0),
            ("presence_penalty", IsNumber(-2, 2)),
            ("frequency_penalty", IsNumber(-2, 2)),
            ("stop_token_ids", IsTokens),
            ("skip_special_tokens", IsFlag),
            ("spaces_between_special_tokens", IsFlag),
            ("logit_bias", IsBiasObject),
            ("sampling_seed", IsInteger(0, int.MaxValue)),
            ("ebnf", IsText));
        return new FakeCall(
            [.. body["input_ids"]!.AsArray().Select(id => id!.GetValue<int>())],
            sampling["max_new_tokens"]?.GetValue<int>() ?? 128,
            TokensOf(sampling["stop_token_ids"]),
            sampling["ebnf"]?.GetValue<string>(),
            body["return_logprob"]?.GetValue<bool>() == true ? body["top_logprobs_num"]!.GetValue<int>() : null,
            body);
    }

    protected override IEnumerable<string> Events(FakeCall call, List<int> tokens, bool stopped)
    {
        int sent = TrimsStop && stopped ? tokens.Count - 1 : tokens.Count;
        for (int i = 1; i <= tokens.Count; i++)
        {
            bool last = i == tokens.Count;
            int from = Incremental ? i - 1 : 0;
            int[] ids = [.. tokens.Take(Math.Min(i, sent)).Skip(from)];
            JsonObject meta = new()
            {
                ["id"] = "1",
                ["finish_reason"] = !last ? null : stopped ? new JsonObject { ["type"] = "stop", ["matched"] = tokens[^1] } : new JsonObject { ["type"] = "length", ["length"] = tokens.Count },
                ["prompt_tokens"] = call.Prompt.Length,
                ["completion_tokens"] = i,
                ["cached_tokens"] = 4,
            };
            if (call.LogProbs is { } top)
            {
                meta["output_token_logprobs"] = new JsonArray([.. ids.Select(id => new JsonArray(-0.5, id, null))]);
                meta["output_top_logprobs"] = top == 0
                    ? new JsonArray([.. ids.Select(_ => (JsonNode?)null)])
                    : new JsonArray([.. ids.Select(id => new JsonArray([.. Enumerable.Range(0, top).Select(n => new JsonArray(-0.5 - n, (id + n) % 8000, null))]))]);
            }

            yield return JsonSerializer.Serialize(new { text = "…", output_ids = ids, meta_info = meta });
        }

        yield return "[DONE]";
    }

    private static object Tokenized(JsonObject body)
    {
        Check(body, "", ("model", node => true), ("prompt", IsText), ("add_special_tokens", IsFlag));
        int[] tokens = Tokenize(body["prompt"]!.GetValue<string>());
        return new { tokens, count = tokens.Length, max_model_len = 512 };
    }
}
