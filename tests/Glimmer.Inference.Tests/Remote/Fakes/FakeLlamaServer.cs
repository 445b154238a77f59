using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Inference.Tests.Remote.Fakes;

/// <summary>llama.cpp's server (tools/server/server-schema.cpp, server-task.cpp, server-context.cpp of September 2026).</summary>
internal sealed class FakeLlamaServer : FakeEngine
{
    /// <summary>Ids that end a run; the protocol has no way to name others.</summary>
    public HashSet<int> TurnEnds { get; } = [.. ((string[])["<|endoftext|>", "<|user|>", "<|observation|>"]).Select(name => Tokenizer.TryGetAdded(name, out int id) ? id : -1)];

    public string? ModelPath { get; set; } = Glimmer.Testing.Fixtures.BundledModel;

    /// <summary>Whether it has /metrics; else the slots are counted.</summary>
    public bool HasMetrics { get; set; }

    protected override string StreamPath => "/completion";

    protected override Task<object?> AnswerAsync(string path, JsonObject? body) => Task.FromResult<object?>(path switch
    {
        "/health" => new { status = "ok" },
        "/props" => new { default_generation_settings = new { @params = new { }, n_ctx = ContextLength }, total_slots = 2, model_path = ModelPath, build_info = "b1-de3ff81" },
        "/slots" => new[] { new { id = 0, is_processing = true }, new { id = 1, is_processing = false } },
        "/metrics" when HasMetrics => "llamacpp:requests_processing 2\nllamacpp:requests_deferred 5\n",
        "/tokenize" => Tokenized(body!),
        _ => null,
    });

    protected override FakeCall ReadCall(JsonObject body)
    {
        // The server itself passes over unknown fields; a field that it does not know would not be honoured, so none may be sent.
        Check(
            body,
            "",
            ("prompt", IsTokens),
            ("stream", IsFlag),
            ("n_predict", IsInteger(-1, int.MaxValue)),
            ("cache_prompt", IsFlag),
            ("return_tokens", IsFlag),
            ("samplers", node => node is JsonArray names && names.All(name => name!.GetValue<string>() is "penalties" or "temperature" or "top_k" or "top_p" or "min_p")),
            ("temperature", IsNumber(0)),
            ("top_k", IsInteger(0, int.MaxValue)),
            ("top_p", IsNumber(0, 1)),
            ("min_p", IsNumber(0, 1)),
            ("repeat_penalty", IsNumber()),
            ("presence_penalty", IsNumber()),
            ("frequency_penalty", IsNumber()),
            ("repeat_last_n", IsInteger(0, int.MaxValue)),
            ("seed", IsInteger(0, uint.MaxValue - 1)),
            ("logit_bias", node => node is JsonArray list && list.All(pair => pair is JsonArray { Count: 2 })),
            ("n_probs", IsInteger(0, int.MaxValue)),
            ("grammar", IsText));
        return new FakeCall(
            [.. body["prompt"]!.AsArray().Select(id => id!.GetValue<int>())],
            body["n_predict"]?.GetValue<int>() ?? int.MaxValue,
            TurnEnds,
            body["grammar"]?.GetValue<string>(),
            body["n_probs"]?.GetValue<int>(),
            body);
    }

    protected override IEnumerable<string> Events(FakeCall call, List<int> tokens, bool stopped)
    {
        List<byte> pending = [];
        for (int i = 0; i < tokens.Count; i++)
        {
            if (Tokenizer.KindOf(tokens[i]) == TokenKind.Text)
                pending.AddRange(Tokenizer.BytesOf(tokens[i]));

            // Nothing is sent while the text ends inside a character.
            string text = Encoding.UTF8.GetString([.. pending]);
            if (text.EndsWith('\uFFFD'))
                continue;
            pending.Clear();
            JsonObject data = new()
            {
                ["index"] = 0,
                ["content"] = text,
                ["tokens"] = new JsonArray(tokens[i]),
                ["stop"] = false,
                ["id_slot"] = -1,
                ["tokens_predicted"] = i + 1,
                ["tokens_evaluated"] = call.Prompt.Length,
            };
            if (call.LogProbs is { } top and > 0)
            {
                data["completion_probabilities"] = new JsonArray(new JsonObject
                {
                    ["id"] = tokens[i],
                    ["token"] = text,
                    ["bytes"] = new JsonArray(),
                    ["logprob"] = -0.5,
                    ["top_logprobs"] = new JsonArray([.. Enumerable.Range(0, top).Select(n => new JsonObject { ["id"] = (tokens[i] + n) % 8000, ["token"] = "", ["logprob"] = -0.5 - n })]),
                });
            }

            yield return data.ToJsonString();
        }

        yield return JsonSerializer.Serialize(new
        {
            index = 0,
            content = "",
            tokens = Array.Empty<int>(),
            id_slot = 0,
            stop = true,
            model = "tiny",
            tokens_predicted = tokens.Count,
            tokens_evaluated = call.Prompt.Length,
            truncated = false,
            stop_type = stopped ? "eos" : "limit",
            stopping_word = "",
            tokens_cached = call.Prompt.Length + tokens.Count,
            timings = new { cache_n = 4, prompt_n = call.Prompt.Length - 4 },
        });
    }

    private static object Tokenized(JsonObject body)
    {
        Check(body, "", ("content", IsText), ("add_special", IsFlag), ("parse_special", IsFlag));
        return new { tokens = Tokenize(body["content"]!.GetValue<string>()) };
    }
}
