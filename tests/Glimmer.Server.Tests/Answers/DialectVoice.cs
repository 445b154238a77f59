using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Answers;

/// <summary>What a client understood, whatever the dialect.</summary>
/// <param name="Content">The text.</param>
/// <param name="Reasoning">The reasoning.</param>
/// <param name="Calls">Each call as <c>name(arguments)</c>, the arguments without spaces.</param>
/// <param name="Finish">Why it ended: <c>stop</c>, <c>length</c>, <c>calls</c>, <c>sensitive</c>, or <c>fault</c> for an error.</param>
/// <param name="Prompt">Tokens of the prompt; −1 when not told.</param>
/// <param name="Completion">Tokens of the answer; −1 when not told.</param>
internal sealed record Heard(string Content, string Reasoning, string Calls, string Finish, int Prompt, int Completion);

/// <summary>One dialect as its clients speak and hear it.</summary>
internal abstract class DialectVoice
{
    public static IReadOnlyDictionary<string, DialectVoice> All { get; } = new Dictionary<string, DialectVoice>
    {
        ["native"] = new CompletionsVoice("/api/paas/v4/chat/completions"),
        ["coding"] = new CompletionsVoice("/api/coding/paas/v4/chat/completions"),
        ["openai"] = new CompletionsVoice("/v1/chat/completions"),
        ["anthropic"] = new MessagesVoice(),
        ["ollama"] = new OllamaVoice(),
        ["responses"] = new ResponsesVoice(),
        ["gemini"] = new GeminiVoice("sse"),
        ["gemini array"] = new GeminiVoice("json"),
    };

    public abstract string Path { get; }

    /// <summary>Where a request goes and what it says, for a whole answer or a stream.</summary>
    public virtual (string Path, string Body) Form(JsonObject body, bool stream) => (Path, body.With("stream", stream).ToJsonString());

    /// <summary>A question, with thinking or without.</summary>
    public abstract JsonObject Ask(string question, bool thinking, int? limit = null, string? stop = null);

    /// <summary>A conversation with instructions, a question, reasoning, two calls and their results, and tools.</summary>
    public abstract JsonObject Continue();

    public abstract Heard ReadWhole(JsonElement body);

    public abstract Heard ReadStream(string text);

    protected static List<JsonElement> Events(string text)
    {
        var decoder = new SseDecoder();
        decoder.Append(System.Text.Encoding.UTF8.GetBytes(text));
        decoder.Complete();
        List<JsonElement> events = [];
        while (decoder.TryRead(out SseEvent item))
        {
            if (!item.IsDone)
                events.Add(JsonDocument.Parse(item.Data).RootElement);
        }

        return events;
    }

    protected static string Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    protected static string Call(string name, string arguments) => $"{name}({JsonNode.Parse(arguments)!.ToJsonString()})";

    protected static JsonNode Tool(string name) =>
        JsonNode.Parse("""{"type":"function","function":{"name":"NAME","description":"d","parameters":{"type":"object","properties":{"path":{"type":"string"}}}}}""".Replace("NAME", name, StringComparison.Ordinal))!;
}

/// <summary>The platform's own and OpenAI's completions.</summary>
internal sealed class CompletionsVoice(string path) : DialectVoice
{
    public override string Path => path;

    public override JsonObject Ask(string question, bool thinking, int? limit = null, string? stop = null)
    {
        JsonObject body = new()
        {
            ["model"] = "glm-4.7",
            ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = question }),
            ["thinking"] = new JsonObject { ["type"] = thinking ? "enabled" : "disabled" },
            ["stream_options"] = new JsonObject { ["include_usage"] = true },
        };
        if (limit is not null)
            body["max_tokens"] = limit;
        if (stop is not null)
            body["stop"] = new JsonArray(stop);
        return body;
    }

    public override JsonObject Continue() => JsonNode.Parse("""
        {"model":"glm-4.7","thinking":{"type":"enabled","clear_thinking":false},"messages":[{"role":"system","content":"Be brief"},{"role":"user","content":"Read both ä"},
        {"role":"assistant","content":"Reading.","reasoning_content":"hm","tool_calls":[{"id":"t1","type":"function","function":{"name":"read","arguments":"{\"path\":\"a\"}"}},{"id":"t2","type":"function","function":{"name":"list","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"t1","content":"one"},{"role":"tool","tool_call_id":"t2","content":"two"}]}
        """)!.AsObject().With("tools", new JsonArray(Tool("read"), Tool("list")));

    public override Heard ReadWhole(JsonElement body)
    {
        JsonElement choice = body.GetProperty("choices")[0], message = choice.GetProperty("message");
        return new Heard(
            Text(message, "content"), Text(message, "reasoning_content"),
            message.TryGetProperty("tool_calls", out JsonElement calls)
                ? string.Concat(calls.EnumerateArray().Select(call => call.GetProperty("function")).Select(function => Call(Text(function, "name"), Text(function, "arguments"))))
                : "",
            Finish(Text(choice, "finish_reason")), body.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), body.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    public override Heard ReadStream(string text)
    {
        string content = "", reasoning = "", finish = "";
        (int prompt, int completion) = (-1, -1);
        SortedDictionary<int, (string Name, string Arguments)> calls = [];
        foreach (JsonElement chunk in Events(text))
        {
            if (chunk.TryGetProperty("error", out _))
                finish = "fault";
            if (chunk.TryGetProperty("usage", out JsonElement usage) && usage.ValueKind == JsonValueKind.Object)
                (prompt, completion) = (usage.GetProperty("prompt_tokens").GetInt32(), usage.GetProperty("completion_tokens").GetInt32());
            if (!chunk.TryGetProperty("choices", out JsonElement choices) || choices.GetArrayLength() == 0)
                continue;
            JsonElement delta = choices[0].GetProperty("delta");
            content += Text(delta, "content");
            reasoning += Text(delta, "reasoning_content");
            if (Text(choices[0], "finish_reason") is { Length: > 0 } word)
                finish = Finish(word);
            foreach (JsonElement call in delta.TryGetProperty("tool_calls", out JsonElement said) ? said.EnumerateArray().ToArray() : [])
            {
                int index = call.GetProperty("index").GetInt32();
                (string name, string arguments) = calls.GetValueOrDefault(index, ("", ""));
                calls[index] = (name + Text(call.GetProperty("function"), "name"), arguments + Text(call.GetProperty("function"), "arguments"));
            }
        }

        return new Heard(content, reasoning, string.Concat(calls.Values.Select(call => Call(call.Name, call.Arguments))), finish, prompt, completion);
    }

    private static string Finish(string word) => word switch
    {
        "stop" or "length" => word,
        "tool_calls" => "calls",
        "sensitive" or "content_filter" => "sensitive",
        "network_error" => "fault",
        _ => "unknown " + word,
    };
}

/// <summary>Anthropic's messages.</summary>
internal sealed class MessagesVoice : DialectVoice
{
    public override string Path => "/api/anthropic/v1/messages";

    public override JsonObject Ask(string question, bool thinking, int? limit = null, string? stop = null)
    {
        JsonObject body = new()
        {
            ["model"] = "glm-4.7",
            ["max_tokens"] = limit ?? 4000,
            ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = question }),
        };
        if (thinking)
            body["thinking"] = new JsonObject { ["type"] = "adaptive" };
        if (stop is not null)
            body["stop_sequences"] = new JsonArray(stop);
        return body;
    }

    public override JsonObject Continue() => JsonNode.Parse("""
        {"model":"glm-4.7","max_tokens":4000,"thinking":{"type":"adaptive"},"system":"Be brief","messages":[{"role":"user","content":"Read both ä"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"Reading."},{"type":"tool_use","id":"t1","name":"read","input":{"path":"a"}},{"type":"tool_use","id":"t2","name":"list","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"one"},{"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"two"}]}]}]}
        """)!.AsObject().With("tools", new JsonArray(Schema("read"), Schema("list")));

    public override Heard ReadWhole(JsonElement body)
    {
        string content = "", reasoning = "", calls = "";
        foreach (JsonElement block in body.GetProperty("content").EnumerateArray())
        {
            content += Text(block, "text");
            reasoning += Text(block, "thinking");
            if (Text(block, "type") == "tool_use")
                calls += Call(Text(block, "name"), block.GetProperty("input").GetRawText());
        }

        return new Heard(content, reasoning, calls, Finish(Text(body, "stop_reason")), Prompt(body.GetProperty("usage")), body.GetProperty("usage").GetProperty("output_tokens").GetInt32());
    }

    public override Heard ReadStream(string text)
    {
        string content = "", reasoning = "", calls = "", finish = "", name = "", input = "";
        (int prompt, int completion) = (-1, -1);
        foreach (JsonElement item in Events(text))
        {
            switch (Text(item, "type"))
            {
                case "content_block_start":
                    name = Text(item.GetProperty("content_block"), "name");
                    input = "";
                    break;
                case "content_block_delta":
                    JsonElement delta = item.GetProperty("delta");
                    content += Text(delta, "text");
                    reasoning += Text(delta, "thinking");
                    input += Text(delta, "partial_json");
                    break;
                case "content_block_stop" when name.Length > 0:
                    calls += Call(name, input);
                    break;
                case "message_delta":
                    finish = Finish(Text(item.GetProperty("delta"), "stop_reason"));
                    (prompt, completion) = (Prompt(item.GetProperty("usage")), item.GetProperty("usage").GetProperty("output_tokens").GetInt32());
                    break;
                case "error":
                    finish = "fault";
                    break;
                default:
                    break;
            }
        }

        return new Heard(content, reasoning, calls, finish, prompt, completion);
    }

    private static int Prompt(JsonElement usage) => usage.GetProperty("input_tokens").GetInt32() + usage.GetProperty("cache_read_input_tokens").GetInt32();

    private static JsonObject Schema(string name) =>
        new() { ["name"] = name, ["description"] = "d", ["input_schema"] = Tool(name)["function"]!["parameters"]!.DeepClone() };

    private static string Finish(string word) => word switch
    {
        "end_turn" or "stop_sequence" => "stop",
        "max_tokens" => "length",
        "tool_use" => "calls",
        "refusal" => "sensitive",
        _ => "unknown " + word,
    };
}

/// <summary>Ollama's chat.</summary>
internal sealed class OllamaVoice : DialectVoice
{
    public override string Path => "/api/chat";

    public override JsonObject Ask(string question, bool thinking, int? limit = null, string? stop = null)
    {
        JsonObject options = [];
        if (limit is not null)
            options["num_predict"] = limit;
        if (stop is not null)
            options["stop"] = new JsonArray(stop);
        return new JsonObject
        {
            ["model"] = "glm-4.7:latest",
            ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = question }),
            ["think"] = thinking,
            ["options"] = options,
        };
    }

    public override JsonObject Continue() => JsonNode.Parse("""
        {"model":"glm-4.7","think":true,"messages":[{"role":"system","content":"Be brief"},{"role":"user","content":"Read both ä"},
        {"role":"assistant","content":"Reading.","thinking":"hm","tool_calls":[{"function":{"name":"read","arguments":{"path":"a"}}},{"function":{"name":"list","arguments":{}}}]},
        {"role":"tool","tool_name":"read","content":"one"},{"role":"tool","tool_name":"list","content":"two"}]}
        """)!.AsObject().With("tools", new JsonArray(Tool("read"), Tool("list")));

    public override Heard ReadWhole(JsonElement body) => Read([body]);

    public override Heard ReadStream(string text) => Read([.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)]);

    private static Heard Read(IReadOnlyList<JsonElement> lines)
    {
        string content = "", reasoning = "", calls = "", finish = "";
        (int prompt, int completion) = (-1, -1);
        foreach (JsonElement line in lines)
        {
            if (line.TryGetProperty("error", out _))
            {
                finish = "fault";
                continue;
            }

            JsonElement message = line.GetProperty("message");
            content += Text(message, "content");
            reasoning += Text(message, "thinking");
            foreach (JsonElement call in message.TryGetProperty("tool_calls", out JsonElement said) ? said.EnumerateArray().ToArray() : [])
                calls += Call(Text(call.GetProperty("function"), "name"), call.GetProperty("function").GetProperty("arguments").GetRawText());
            if (!line.GetProperty("done").GetBoolean())
                continue;
            (prompt, completion) = (line.GetProperty("prompt_eval_count").GetInt32(), line.GetProperty("eval_count").GetInt32());
            finish = Text(line, "done_reason") switch
            {
                "stop" => calls.Length > 0 ? "calls" : "stop",
                "length" => "length",
                "content_filter" => "sensitive",
                var word => "unknown " + word,
            };
        }

        return new Heard(content, reasoning, calls, finish, prompt, completion);
    }
}

/// <summary>OpenAI's responses, which know no stop texts.</summary>
internal sealed class ResponsesVoice : DialectVoice
{
    public override string Path => "/v1/responses";

    public override JsonObject Ask(string question, bool thinking, int? limit = null, string? stop = null)
    {
        JsonObject body = new() { ["model"] = "glm-4.7", ["input"] = question, ["store"] = false, ["reasoning"] = new JsonObject { ["effort"] = thinking ? "high" : "none" } };
        if (limit is not null)
            body["max_output_tokens"] = limit;
        return body;
    }

    public override JsonObject Continue() => JsonNode.Parse("""
        {"model":"glm-4.7","store":false,"reasoning":{"effort":"high"},"instructions":"Be brief","input":[{"role":"user","content":"Read both ä"},
        {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Reading."}]},
        {"type":"function_call","call_id":"t1","name":"read","arguments":"{\"path\":\"a\"}"},{"type":"function_call","call_id":"t2","name":"list","arguments":"{}"},
        {"type":"function_call_output","call_id":"t1","output":"one"},{"type":"function_call_output","call_id":"t2","output":"two"}]}
        """)!.AsObject().With("tools", new JsonArray(Flat("read"), Flat("list")));

    public override Heard ReadWhole(JsonElement body)
    {
        string content = "", reasoning = "", calls = "";
        foreach (JsonElement item in body.GetProperty("output").EnumerateArray())
        {
            if (Text(item, "type") == "function_call")
            {
                calls += Call(Text(item, "name"), Text(item, "arguments"));
                continue;
            }

            foreach (JsonElement part in item.GetProperty("content").EnumerateArray())
            {
                if (Text(item, "type") == "reasoning")
                    reasoning += Text(part, "text");
                else
                    content += Text(part, "text");
            }
        }

        string reason = body.TryGetProperty("incomplete_details", out JsonElement details) ? Text(details, "reason") : "";
        string finish = (Text(body, "status"), reason) switch
        {
            ("completed", _) => calls.Length > 0 ? "calls" : "stop",
            ("incomplete", "max_output_tokens") => "length",
            ("incomplete", "content_filter") => "sensitive",
            ("failed", _) => "fault",
            var other => $"unknown {other}",
        };
        bool counted = body.TryGetProperty("usage", out JsonElement usage) && usage.ValueKind == JsonValueKind.Object;
        return new Heard(content, reasoning, calls, finish, counted ? usage.GetProperty("input_tokens").GetInt32() : -1, counted ? usage.GetProperty("output_tokens").GetInt32() : -1);
    }

    /// <summary>What the deltas say; the last event's response must say the same.</summary>
    public override Heard ReadStream(string text)
    {
        string content = "", reasoning = "";
        Heard? last = null;
        foreach (JsonElement item in Events(text))
        {
            switch (Text(item, "type"))
            {
                case "response.output_text.delta":
                    content += Text(item, "delta");
                    break;
                case "response.reasoning_text.delta":
                    reasoning += Text(item, "delta");
                    break;
                case "response.completed" or "response.incomplete" or "response.failed":
                    last = ReadWhole(item.GetProperty("response"));
                    break;
                default:
                    break;
            }
        }

        Assert.NotNull(last);
        return last with { Content = content, Reasoning = reasoning };
    }

    private static JsonObject Flat(string name) => Tool(name)["function"]!.DeepClone().AsObject().With("type", "function");
}

internal static class VoicedRequests
{
    /// <summary>The whole answer to a request, which must succeed.</summary>
    public static Task<JsonElement> ChatAsync(this ServerHarness harness, DialectVoice voice, JsonObject body)
    {
        (string path, string text) = voice.Form(body, stream: false);
        return harness.ChatAsync(text, path);
    }

    /// <summary>What comes back.</summary>
    public static Task<HttpResponseMessage> PostAsync(this ServerHarness harness, DialectVoice voice, JsonObject body, bool stream)
    {
        (string path, string text) = voice.Form(body, stream);
        return harness.PostAsync(text, path);
    }
}

internal static class JsonObjects
{
    public static JsonObject With(this JsonObject body, string name, JsonNode? value)
    {
        body[name] = value;
        return body;
    }
}
