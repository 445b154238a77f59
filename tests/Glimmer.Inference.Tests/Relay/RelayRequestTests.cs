using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Dialogue.Conversations;
using Glimmer.Engine;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Inference.Relay.Requests;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;
using static Glimmer.Inference.Tests.Relay.RelayCases;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>What each kind of service is sent.</summary>
public sealed class RelayRequestTests
{
    private static readonly JsonElement Schema = JsonDocument.Parse("""{"type":"object","properties":{"a":{"type":"string"}}}""").RootElement;

    /// <summary>Everything that a request can hold and every kind is sent in some form.</summary>
    private static ChatRequest Full => new()
    {
        Model = "GLM-4.7",
        Conversation = new Conversation(
            [
                ChatMessage.OfText(ChatRole.System, "Be brief"),
                new ChatMessage { Role = ChatRole.User, Content = [new TextPart("Look ä"), new MediaPart(MediaKind.Image, "iVBORw0KGgo="), new MediaPart(MediaKind.Image, "https://example.com/y.jpg"), new MediaPart(MediaKind.Image, "data:image/gif;base64,R0lG")] },
                new ChatMessage { Role = ChatRole.Assistant, Content = [new TextPart("Reading.")], ReasoningContent = "hm", ToolCalls = [new ToolCall("t1", "read", """{"path":"a"}"""), new ToolCall("odd id!", "list", "{}")] },
                new ChatMessage { Role = ChatRole.Tool, ToolCallId = "t1", Content = [new TextPart("one")] },
                new ChatMessage { Role = ChatRole.Tool, Content = [new ToolOutputPart("two")] },
                ChatMessage.OfText(ChatRole.User, "And?"),
            ],
            [Tool("read"), Tool("list")],
            new RenderOptions { EnableThinking = true, ClearThinking = false, ReasoningEffort = "max" }),
        Sampling = new SamplingOptions { Temperature = 0.7f, TopP = 0.9f, TopK = 40, MinP = 0.05f, RepetitionPenalty = 1.1f, PresencePenalty = 0.5f, FrequencyPenalty = 0.25f, Seed = 7 },
        MaxTokens = 2000,
        Stop = ["END"],
        ParallelToolCalls = false,
        ThinkingBudget = 1500,
        Tenant = "tenant-1",
    };

    [Fact]
    public async Task The_platform_is_sent_everything() => Same(
        """
        {"model":"far-model","messages":[{"role":"system","content":"Be brief"},
        {"role":"user","content":[{"type":"text","text":"Look ä"},{"type":"image_url","image_url":{"url":"iVBORw0KGgo="}},{"type":"image_url","image_url":{"url":"https://example.com/y.jpg"}},{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0lG"}}]},
        {"role":"assistant","content":"Reading.","reasoning_content":"hm","tool_calls":[{"id":"t1","type":"function","function":{"name":"read","arguments":"{\"path\":\"a\"}"}},{"id":"odd id!","type":"function","function":{"name":"list","arguments":"{}"}}]},
        {"role":"tool","content":"one","tool_call_id":"t1"},{"role":"tool","content":[{"output":"two"}],"tool_call_id":"odd id!"},{"role":"user","content":"And?"}],
        "tools":[{"type":"function","function":{"name":"read","description":"d","parameters":{"type":"object"},"x-own":1}},{"type":"function","function":{"name":"list","description":"d","parameters":{"type":"object"},"x-own":1}}],
        "parallel_tool_calls":false,"tool_stream":true,"reasoning_effort":"max","thinking":{"type":"enabled","clear_thinking":false,"budget_tokens":1500},"stream":true,"max_tokens":2000,
        "temperature":0.7,"top_p":0.9,"top_k":40,"min_p":0.05,"repetition_penalty":1.1,"presence_penalty":0.5,"frequency_penalty":0.25,"seed":7,"stop":["END"],"request_id":"ID","user_id":"ID"}
        """,
        await SentAsync(Full, BackendKind.Zai, "/api/paas/v4/", "/api/paas/v4/chat/completions"));

    [Fact]
    public async Task A_strict_service_is_sent_what_it_knows() => Same(
        """
        {"model":"far-model","messages":[{"role":"system","content":"Be brief"},
        {"role":"user","content":[{"type":"text","text":"Look ä"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},{"type":"image_url","image_url":{"url":"https://example.com/y.jpg"}},{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0lG"}}]},
        {"role":"assistant","content":"Reading.","tool_calls":[{"id":"t1","type":"function","function":{"name":"read","arguments":"{\"path\":\"a\"}"}},{"id":"CALL","type":"function","function":{"name":"list","arguments":"{}"}}]},
        {"role":"tool","content":"one","tool_call_id":"t1"},{"role":"tool","content":[{"type":"text","text":"two"}],"tool_call_id":"CALL"},{"role":"user","content":"And?"}],
        "tools":[{"type":"function","function":{"name":"read","description":"d","parameters":{"type":"object"}}},{"type":"function","function":{"name":"list","description":"d","parameters":{"type":"object"}}}],
        "parallel_tool_calls":false,"reasoning_effort":"high","stream":true,"stream_options":{"include_usage":true},"max_tokens":2000,
        "temperature":0.7,"top_p":0.9,"presence_penalty":0.5,"frequency_penalty":0.25,"seed":7,"stop":["END"]}
        """,
        await SentAsync(Full, BackendKind.OpenAI, "/v1", "/v1/chat/completions"));

    [Theory]
    [InlineData(BackendKind.Vllm, "repetition_penalty")]
    [InlineData(BackendKind.SGLang, "repetition_penalty")]
    [InlineData(BackendKind.LlamaServer, "repeat_penalty")]
    public async Task A_raw_kind_in_chat_mode_is_told_of_its_template(BackendKind kind, string penalty)
    {
        foreach (string path in new[] { "", "/v1" })
        {
            JsonNode sent = await SentAsync(Full, kind, path, "/v1/chat/completions");
            Assert.Equal("""{"enable_thinking":true,"clear_thinking":false,"reasoning_effort":"max"}""", sent["chat_template_kwargs"]!.ToJsonString());
            Assert.Equal(("hm", 40, 1.1f, true), ((string?)sent["messages"]![2]!["reasoning_content"], (int)sent["top_k"]!, (float)sent[penalty]!, (bool)sent["stream_options"]!["include_usage"]!));
            Assert.Null(sent["thinking"]);
            Assert.Null(sent["request_id"]);
        }
    }

    [Fact]
    public async Task Anthropic_is_sent_messages() => Same(
        """
        {"model":"far-model","system":[{"type":"text","text":"Be brief"}],"messages":[
        {"role":"user","content":[{"type":"text","text":"Look ä"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"image","source":{"type":"url","url":"https://example.com/y.jpg"}},{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"R0lG"}}]},
        {"role":"assistant","content":[{"type":"text","text":"Reading."},{"type":"tool_use","id":"t1","name":"read","input":{"path":"a"}},{"type":"tool_use","id":"CALL","name":"list","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"one"}]},{"type":"tool_result","tool_use_id":"CALL","content":[{"type":"text","text":"two"}]},{"type":"text","text":"And?"}]}],
        "tools":[{"name":"read","description":"d","input_schema":{"type":"object"}},{"name":"list","description":"d","input_schema":{"type":"object"}}],
        "tool_choice":{"type":"auto","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":1500},"output_config":{"effort":"max"},
        "max_tokens":2000,"stream":true,"stop_sequences":["END"],"metadata":{"user_id":"ID"}}
        """,
        await SentAsync(Full, BackendKind.Anthropic, "/api/anthropic", "/api/anthropic/v1/messages"));

    [Fact]
    public async Task A_small_request_has_no_fields_that_say_nothing()
    {
        Same("""{"model":"far-model","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}""", await SentAsync(Ask()));
        Same("""{"model":"far-model","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"max_tokens":8192,"stream":true,"metadata":{"user_id":"ID"}}""", await SentAsync(Ask(), BackendKind.Anthropic));
    }

    [Fact]
    public async Task Choices_formats_and_greed_have_each_services_words()
    {
        ChatRequest named = Ask().With(c => c with { Tools = [Tool("f")] }) with { ToolChoice = new ToolChoice(ToolChoiceMode.Named, "f"), Sampling = new SamplingOptions { Greedy = true }, Format = new AnswerFormat(AnswerFormatKind.JsonSchema, Schema, true) };
        JsonNode openai = await SentAsync(named);
        Assert.Equal("""{"type":"function","function":{"name":"f"}}""", openai["tool_choice"]!.ToJsonString());
        Assert.Equal($$"""{"type":"json_schema","json_schema":{"name":"answer","schema":{{Schema.GetRawText()}},"strict":true} }""".Replace("} }", "}}", StringComparison.Ordinal), openai["response_format"]!.ToJsonString());
        Assert.Equal("0", openai["temperature"]!.ToJsonString());
        JsonNode anthropic = await SentAsync(named, BackendKind.Anthropic);
        Assert.Equal("""{"type":"tool","name":"f"}""", anthropic["tool_choice"]!.ToJsonString());
        Assert.Equal("json_schema", (string?)anthropic["output_config"]!["format"]!["type"]);
        JsonNode zai = await SentAsync(named, BackendKind.Zai);
        Assert.False((bool)zai["do_sample"]!);
        Assert.Null(zai["temperature"]);

        ChatRequest required = named with { ToolChoice = ToolChoice.Required };
        Assert.Equal("required", (string?)(await SentAsync(required))["tool_choice"]);
        Assert.Equal("any", (string?)(await SentAsync(required, BackendKind.Anthropic))["tool_choice"]!["type"]);
        ChatRequest none = named with { ToolChoice = ToolChoice.None };
        Assert.Null((await SentAsync(none))["tools"]);
        Assert.Equal("none", (string?)(await SentAsync(none, BackendKind.Anthropic))["tool_choice"]!["type"]);
    }

    [Theory]
    [InlineData(BackendKind.OpenAI, "null")]
    [InlineData(BackendKind.Zai, "\"\"")]
    [InlineData(BackendKind.Vllm, "\"\"")]
    public async Task A_message_of_calls_alone_has_no_text(BackendKind kind, string content)
    {
        ChatRequest request = Ask().With(c => c with { Messages = [.. c.Messages, new ChatMessage { Role = ChatRole.Assistant, ToolCalls = [new ToolCall("a", "f", "{}")] }, new ChatMessage { Role = ChatRole.Tool, Content = [new TextPart("1")] }] });
        JsonNode sent = await SentAsync(request, kind);
        Assert.Equal(content, sent["messages"]![1]!["content"]?.ToJsonString() ?? "null");
        Assert.Equal("a", (string?)sent["messages"]![2]!["tool_call_id"]);
    }

    /// <summary>An engine that is told nothing samples as its model's file says (vLLM, SGLang) or by a table of its own (llama-server: temperature 0.8, top-k 40, min-p 0.05).</summary>
    [Theory]
    [InlineData(BackendKind.Vllm, "repetition_penalty", -1)]
    [InlineData(BackendKind.SGLang, "repetition_penalty", -1)]
    [InlineData(BackendKind.LlamaServer, "repeat_penalty", 0)]
    public async Task An_engine_is_told_the_ordinary_values_too(BackendKind kind, string penalty, int topKOff)
    {
        ChatRequest plain = Full with { Sampling = new SamplingOptions { Temperature = 1, TopP = 1, TopK = 0, MinP = 0, RepetitionPenalty = 1 } };
        JsonNode sent = await SentAsync(plain, kind, "", "/v1/chat/completions");

        Assert.Equal((1f, 1f, topKOff, 0f, 1f), ((float)sent["temperature"]!, (float)sent["top_p"]!, (int)sent["top_k"]!, (float)sent["min_p"]!, (float)sent[penalty]!));
        Assert.Equal((0f, 0f), ((float)sent["presence_penalty"]!, (float)sent["frequency_penalty"]!));
        JsonNode greedy = await SentAsync(plain with { Sampling = new SamplingOptions { Greedy = true } }, kind);
        Assert.Equal(0f, (float)greedy["temperature"]!);
    }

    /// <summary>Kind, thinking wanted, budget, limit, choice demanded; the form of thinking and whether a temperature goes along.</summary>
    [Theory]
    [InlineData(true, 5000, 4000, false, """{"type":"enabled","budget_tokens":3999}""", false)]
    [InlineData(true, 10, 4000, false, """{"type":"enabled","budget_tokens":1024}""", false)]
    [InlineData(true, 5000, 100, false, """{"type":"adaptive"}""", false)]
    [InlineData(true, null, 4000, false, """{"type":"adaptive"}""", false)]
    [InlineData(true, null, 4000, true, """{"type":"disabled"}""", true)]
    [InlineData(false, null, 4000, false, """{"type":"disabled"}""", true)]
    [InlineData(null, null, 4000, false, null, true)]
    public async Task Anthropic_thinks_as_it_may(bool? thinks, int? budget, int limit, bool demanded, string? thinking, bool temperature)
    {
        ChatRequest request = Ask().With(c => c with { Tools = [Tool("f")], Options = new RenderOptions { EnableThinking = thinks } }) with
        {
            ThinkingBudget = budget,
            MaxTokens = limit,
            Sampling = new SamplingOptions { Temperature = 0.5f, TopP = 0.9f },
            ToolChoice = demanded ? ToolChoice.Required : ToolChoice.Auto,
        };
        JsonNode sent = await SentAsync(request, BackendKind.Anthropic);
        Assert.Equal((thinking, temperature), (sent["thinking"]?.ToJsonString(), sent["temperature"] is not null));
        Assert.Null(sent["top_p"]);
    }

    [Fact]
    public async Task Grammars_go_where_they_are_known_and_are_refused_elsewhere()
    {
        ChatRequest regex = Ask() with { Format = new AnswerFormat(AnswerFormatKind.Regex, Source: "[ab]") };
        ChatRequest grammar = Ask() with { Format = new AnswerFormat(AnswerFormatKind.Grammar, Source: "root ::= \"a\"") };
        Assert.Equal("""{"type":"regex","regex":"[ab]"}""", (await SentAsync(regex, BackendKind.Zai))["response_format"]!.ToJsonString());
        Assert.Equal("""{"regex":"[ab]"}""", (await SentAsync(regex, BackendKind.Vllm))["structured_outputs"]!.ToJsonString());
        Assert.Equal("[ab]", (string?)(await SentAsync(regex, BackendKind.SGLang))["regex"]);
        Assert.NotNull((await SentAsync(grammar, BackendKind.SGLang))["ebnf"]);
        Assert.NotNull((await SentAsync(grammar, BackendKind.LlamaServer))["grammar"]);
        foreach (BackendKind kind in new[] { BackendKind.OpenAI, BackendKind.Anthropic })
        {
            await RefusedAsync(regex, kind, "response_format.type");
            await RefusedAsync(grammar, kind, "response_format.type");
        }

        await RefusedAsync(regex, BackendKind.LlamaServer, "response_format.type");
    }

    [Fact]
    public async Task What_a_service_has_no_words_for_is_refused_by_name()
    {
        ChatRequest continues = Ask().With(c => c with { Messages = [.. c.Messages, ChatMessage.OfText(ChatRole.Assistant, "So")], Options = new RenderOptions { ContinueFinalMessage = true } });
        await RefusedAsync(continues, BackendKind.OpenAI, "messages");
        await RefusedAsync(continues, BackendKind.Zai, "messages");
        Assert.True((bool)(await SentAsync(continues, BackendKind.Vllm))["continue_final_message"]!);
        Assert.Equal("assistant", (string?)(await SentAsync(continues, BackendKind.Anthropic))["messages"]![1]!["role"]);

        ChatRequest video = Ask().With(c => c with { Messages = [new ChatMessage { Role = ChatRole.User, Content = [new TextPart("a"), new MediaPart(MediaKind.Video, "https://example.com/y.mp4")] }] });
        await RefusedAsync(video, BackendKind.OpenAI, "messages[0].content[1]");
        await RefusedAsync(video, BackendKind.Anthropic, "messages[0].content[1]");
        Assert.Equal("https://example.com/y.mp4", (string?)(await SentAsync(video, BackendKind.Zai))["messages"]![0]!["content"]![1]!["video_url"]!["url"]);

        await RefusedAsync(Ask() with { Stop = ["a", "b", "c", "d", "e"] }, BackendKind.OpenAI, "stop");
        await RefusedAsync(Ask() with { TopLogProbs = 1 }, BackendKind.Anthropic, "logprobs");
        await RefusedAsync(Ask() with { Format = AnswerFormat.JsonObject }, BackendKind.Anthropic, "response_format.type");
        await RefusedAsync(Ask() with { Sampling = new SamplingOptions { LogitBias = new Dictionary<int, float> { [1] = 1 } } }, BackendKind.Anthropic, "logit_bias");
        ChatRequest odd = Ask().With(c => c with { Messages = [.. c.Messages, new ChatMessage { Role = ChatRole.Assistant, ToolCalls = [new ToolCall("a", "f", "[1]")] }] });
        await RefusedAsync(odd, BackendKind.Anthropic, "messages[1].tool_calls[0].function.arguments");
    }

    [Theory]
    [InlineData(BackendKind.Zai, "/tokenizer", """{"usage":{"prompt_tokens":42}}""", 42)]
    [InlineData(BackendKind.Anthropic, "/v1/messages/count_tokens", """{"input_tokens":42}""", 42)]
    [InlineData(BackendKind.Vllm, "/tokenize", """{"count":42,"tokens":[]}""", 42)]
    [InlineData(BackendKind.OpenAI, null, "", 6)]
    [InlineData(BackendKind.SGLang, null, "", 6)]
    public async Task Prompts_are_counted_where_the_service_counts_and_estimated_elsewhere(BackendKind kind, string? path, string answer, int count)
    {
        await using FakeUpstream upstream = FakeUpstream.Json(200, answer);
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address, kind), TimeProvider.System, new LogLines());
        Assert.Equal(count, await backend.CountTokensAsync(Ask("12345678"), default));
        Assert.Equal(path, upstream.Requests.SingleOrDefault()?.Path);
        if (path is not null)
            Assert.Null(JsonNode.Parse(upstream.Requests.Single().Body)!["stream"]);

        await using FakeUpstream without = FakeUpstream.Json(404, "");
        await using IRemoteBackend estimating = RelayBackends.Create(Define(without.Address, kind), TimeProvider.System, new LogLines());
        Assert.Equal(6, await estimating.CountTokensAsync(Ask("12345678"), default));
        if (path is null)
            return;
        await using FakeUpstream broken = FakeUpstream.Json(200, "{}");
        await using IRemoteBackend failing = RelayBackends.Create(Define(broken.Address, kind), TimeProvider.System, new LogLines());
        Assert.Equal(BusinessCode.Network, (await Assert.ThrowsAsync<ChatRequestException>(async () => await failing.CountTokensAsync(Ask(), default))).Error.Code);
    }

    [Fact]
    public async Task A_query_of_the_address_stays_and_who_asks_is_told_apart_without_being_named()
    {
        await using FakeUpstream upstream = FakeUpstream.Stream(Chunks("stop", """{"content":"a"}"""));
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address, BackendKind.Zai, "/base/?api-version=3"), TimeProvider.System, new LogLines());
        foreach (string tenant in new[] { "one", "two", "one", "" })
            await AskAsync(backend, Ask() with { Tenant = tenant });
        Assert.All(upstream.Requests, static sent => Assert.Equal("/base/chat/completions?api-version=3", sent.Path));
        string?[] users = [.. upstream.Requests.Select(static sent => (string?)JsonNode.Parse(sent.Body)!["user_id"])];
        Assert.Equal((users[0], null), (users[2], users[3]));
        Assert.NotEqual(users[0], users[1]);
        Assert.Equal(4, upstream.Requests.Select(static sent => (string?)JsonNode.Parse(sent.Body)!["request_id"]).Distinct().Count());
        Assert.DoesNotContain("one", users[0]!, StringComparison.Ordinal);
    }

    private static async Task<JsonNode> SentAsync(ChatRequest request, BackendKind kind = BackendKind.OpenAI, string path = "", string? expectedPath = null)
    {
        await using FakeUpstream upstream = FakeUpstream.Json(500, "");
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address, kind, path) with { MediaAddresses = MediaAddresses.Public }, TimeProvider.System, new LogLines());
        ChatStart start = await backend.StartAsync(request, default);
        Assert.Equal(StartFault.Backend, start.Fault);
        FakeExchange sent = upstream.Requests.Single();
        if (expectedPath is not null)
            Assert.Equal(expectedPath, sent.Path);
        return JsonNode.Parse(sent.Body)!;
    }

    private static async Task RefusedAsync(ChatRequest request, BackendKind kind, string field)
    {
        await using FakeUpstream upstream = FakeUpstream.Json(500, "");
        ChatStart start = (await AskAsync(upstream, request, kind)).Start;
        Assert.Equal((StartFault.Request, field), (start.Fault, start.Error!.Field));
        Assert.Empty(upstream.Requests);
    }

    /// <summary>The same members in the same order; ids that are made up are <c>ID</c> and <c>CALL</c>.</summary>
    private static void Same(string expected, JsonNode sent)
    {
        foreach (string name in new[] { "request_id", "user_id" })
        {
            if (sent[name] is not null)
                sent[name] = "ID";
        }

        if (sent["metadata"] is { } metadata)
            metadata["user_id"] = "ID";
        Assert.Equal(JsonNode.Parse(expected)!.ToJsonString(), sent.ToJsonString().Replace(CallIds.Of("odd id!"), "CALL", StringComparison.Ordinal));
    }
}
