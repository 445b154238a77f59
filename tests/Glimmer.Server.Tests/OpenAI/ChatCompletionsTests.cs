using System.Text.Json;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.OpenAI;

public sealed partial class ChatCompletionsTests : IAsyncLifetime
{
    private const string Path = "/v1/chat/completions";
    private const string Tools = """[{"type":"function","function":{"name":"read","parameters":{"type":"object"}}},{"type":"function","function":{"name":"list"}}]""";

    private static readonly ChatScript Everything = new(
    [
        new(ChatEventKind.Reasoning, "th"), new(ChatEventKind.Reasoning, "ink"), new(ChatEventKind.Content, "Hel"), new(ChatEventKind.Content, "lo"),
        new(ChatEventKind.ToolCallStart, "read", 0), new(ChatEventKind.ToolCallArguments, "{\"a\":", 0), new(ChatEventKind.ToolCallArguments, "1}", 0),
        new(ChatEventKind.ToolCallEnd, "", 0), new(ChatEventKind.ToolCallStart, "list", 1), new(ChatEventKind.ToolCallArguments, "{}", 1), new(ChatEventKind.ToolCallEnd, "", 1),
    ], FinishReason.ToolCalls);

    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync(options => options with { OpenAIModelNames = "gpt-*mini*=glm-4.5-air;gpt-*=glm-4.7" });

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Fact]
    public async Task A_whole_answer_has_OpenAIs_members()
    {
        _harness.Backend.Script = _ => Everything;
        JsonElement answer = await _harness.ChatAsync(Body($"\"tools\":{Tools}"), Path);
        Assert.Equal(["id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage"], answer.EnumerateObject().Select(member => member.Name));
        Assert.Equal("chat.completion", answer.GetProperty("object").GetString());
        Assert.Equal(
            """[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null,"annotations":[],"reasoning_content":"think","tool_calls":[{"id":"*","type":"function","function":{"name":"read","arguments":"{\"a\":1}"}},{"id":"*","type":"function","function":{"name":"list","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}]""",
            Mask(answer.GetProperty("choices").GetRawText()));
        Assert.Equal(
            """{"prompt_tokens":107,"completion_tokens":34,"total_tokens":141,"prompt_tokens_details":{"cached_tokens":100,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":12,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}""",
            answer.GetProperty("usage").GetRawText());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stream_says_the_same_and_tells_usage_only_when_asked(bool usage)
    {
        _harness.Backend.Script = _ => Everything;
        List<JsonElement> chunks = await _harness.StreamAsync(Body($"\"stream\":true,\"stream_options\":{{\"include_usage\":{(usage ? "true" : "false")}}}"), Path);
        Assert.Equal(
        [
            """{"role":"assistant","content":"","refusal":null}""", """{"reasoning_content":"th"}""", """{"reasoning_content":"ink"}""", """{"content":"Hel"}""", """{"content":"lo"}""",
            """{"tool_calls":[{"index":0,"id":"*","type":"function","function":{"name":"read","arguments":""}}]}""",
            """{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}""", """{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}""",
            """{"tool_calls":[{"index":1,"id":"*","type":"function","function":{"name":"list","arguments":""}}]}""", """{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}""", "{}",
        ], chunks.Where(HasChoice).Select(chunk => Mask(chunk.GetProperty("choices")[0].GetProperty("delta").GetRawText())));
        Assert.All(chunks, chunk => Assert.Equal("chat.completion.chunk", chunk.GetProperty("object").GetString()));
        Assert.Equal("tool_calls", chunks.Last(HasChoice).GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(usage ? 1 : 0, chunks.Count(chunk => !HasChoice(chunk)));
        Assert.Equal(usage ? 141 : 0, usage ? chunks[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32() : 0);
        Assert.All(chunks.Where(HasChoice), chunk => Assert.Equal(usage, chunk.TryGetProperty("usage", out _)));
    }

    [Theory]
    [InlineData(FinishReason.Stop, "stop")]
    [InlineData(FinishReason.Length, "length")]
    [InlineData(FinishReason.ContextWindow, "length")]
    [InlineData(FinishReason.Sensitive, "content_filter")]
    public async Task Ends_have_OpenAIs_words(FinishReason finish, string word)
    {
        _harness.Backend.Script = _ => ChatScript.Of("x") with { Finish = finish };
        JsonElement whole = await _harness.ChatAsync(Body(""), Path);
        List<JsonElement> chunks = await _harness.StreamAsync(Body("\"stream\":true"), Path);
        Assert.Equal(word, whole.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(word, chunks[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Theory]
    [InlineData(Path)]
    [InlineData("/api/paas/v4/chat/completions")]
    public async Task Several_answers_are_choices_and_their_tokens_are_counted(string path)
    {
        int started = 0;
        _harness.Backend.Script = _ => ChatScript.Of("answer ", $"{Interlocked.Increment(ref started)}") with { Usage = new(10, 2, 5, 1), Yield = true };
        JsonElement whole = await _harness.ChatAsync(Body("\"n\":3,\"seed\":7"), path);
        Assert.Equal([0, 1, 2], whole.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("index").GetInt32()));
        Assert.Equal(["answer 1", "answer 2", "answer 3"], whole.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("message").GetProperty("content").GetString()));
        Assert.Equal((10, 15), (whole.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), whole.GetProperty("usage").GetProperty("completion_tokens").GetInt32()));
        Assert.Equal(9ul, _harness.Backend.LastRequest!.Sampling.Seed);

        started = 0;
        List<JsonElement> chunks = await _harness.StreamAsync(Body("\"n\":3,\"stream\":true"), path);
        foreach (int choice in new[] { 0, 1, 2 })
        {
            JsonElement[] own = [.. chunks.Where(HasChoice).Select(chunk => chunk.GetProperty("choices")[0]).Where(one => one.GetProperty("index").GetInt32() == choice)];
            Assert.Equal($"answer {choice + 1}", string.Concat(own.Select(one => one.GetProperty("delta").TryGetProperty("content", out JsonElement text) ? text.GetString() : "")));
            Assert.Equal("stop", own[^1].GetProperty("finish_reason").GetString());
        }
    }

    [Fact]
    public async Task When_one_of_several_cannot_begin_none_goes_on()
    {
        int started = 0;
        _harness.Backend.Script = _ => Interlocked.Increment(ref started) == 3 ? new([]) { Error = new(Glimmer.Protocol.Errors.BusinessCode.Overloaded, "full") } : ChatScript.Of("x") with { HangAtEnd = true };
        using HttpResponseMessage response = await _harness.PostAsync(Body("\"n\":4"), Path);
        Assert.Equal(503, (int)response.StatusCode);
        await ServerHarness.UntilAsync(() => _harness.Backend.Active == 0);
        Assert.Equal(3, started);
    }

    [Fact]
    public async Task A_client_that_leaves_at_any_event_ends_the_generation()
    {
        _harness.Backend.Script = _ => Everything with { HangAtEnd = true, Yield = true };
        await Task.WhenAll(new[] { 0, 1, 2, 5, 10 }.Select(LeaveAsync));
        await ServerHarness.UntilAsync(() => _harness.Backend.Active == 0);

        async Task LeaveAsync(int after)
        {
            using HttpResponseMessage response = await _harness.PostAsync(Body("\"stream\":true,\"n\":2"), Path, HttpCompletionOption.ResponseHeadersRead);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
            for (int i = 0; i < after; i++)
                await reader.ReadLineAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_fault_in_the_middle_is_an_error_chunk()
    {
        _harness.Backend.Script = _ => ChatScript.Of("a", "b") with { FaultAt = 1, Yield = true };
        List<JsonElement> chunks = await _harness.StreamAsync(Body("\"stream\":true"), Path);
        Assert.Equal("server_error", chunks[^1].GetProperty("error").GetProperty("type").GetString());
        Assert.DoesNotContain(ScriptedBackend.CanaryText, chunks[^1].GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Probabilities_stand_beside_the_text_they_belong_to()
    {
        var token = new SaidToken("Hé"u8[..2].ToArray(), -0.5f, [new("Hé"u8[..2].ToArray(), -0.5f), new("x"u8.ToArray(), float.NegativeInfinity)]);
        _harness.Backend.Script = _ => new([new ChatEvent(ChatEventKind.Content, "Hi") { Tokens = [token] }]);
        JsonElement whole = await _harness.ChatAsync(Body("\"logprobs\":true,\"top_logprobs\":2"), Path);
        const string Expected = """{"content":[{"token":"H\uFFFD","logprob":-0.5,"bytes":[72,195],"top_logprobs":[{"token":"H\uFFFD","logprob":-0.5,"bytes":[72,195]},{"token":"x","logprob":-9999,"bytes":[120]}]}],"refusal":null}""";
        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(Expected).RootElement, whole.GetProperty("choices")[0].GetProperty("logprobs")), whole.GetRawText());
        Assert.Equal(2, _harness.Backend.LastRequest!.TopLogProbs);
        List<JsonElement> chunks = await _harness.StreamAsync(Body("\"logprobs\":true,\"stream\":true"), Path);
        Assert.Equal(1, chunks.Count(chunk => chunk.GetProperty("choices")[0].GetProperty("logprobs").ValueKind == JsonValueKind.Object));
        Assert.Equal(0, _harness.Backend.LastRequest!.TopLogProbs);
    }

    [Theory]
    [InlineData(Path)]
    [InlineData("/api/paas/v4/chat/completions")]
    public async Task Penalties_and_biases_reach_the_engine(string path)
    {
        await _harness.ChatAsync(Body("\"presence_penalty\":1.5,\"frequency_penalty\":-0.5,\"logit_bias\":{\"12\":-100,\"7\":2.5}"), path);
        Engine.SamplingOptions sampling = _harness.Backend.LastRequest!.Sampling;
        Assert.Equal((1.5f, -0.5f), (sampling.PresencePenalty, sampling.FrequencyPenalty));
        Assert.Equal([(7, 2.5f), (12, -100f)], sampling.LogitBias!.OrderBy(entry => entry.Key).Select(entry => (entry.Key, entry.Value)));
        Assert.Null(_harness.Backend.LastRequest!.TopLogProbs);
    }

    [Fact]
    public async Task What_OpenAI_allows_is_read()
    {
        await _harness.ChatAsync(
            $$"""
            {"model":"gpt-5-mini","temperature":1.7,"max_completion_tokens":99,"stop":["a","b","c","d"],"reasoning_effort":"low","user":"u","store":true,"metadata":{"a":"b"},"service_tier":"auto","prompt_cache_key":"k","verbosity":"low",
             "modalities":["text"],"prediction":{"type":"content","content":"x"},"parallel_tool_calls":false,"tools":{{Tools}},
             "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"list"} }]} },
             "messages":[{"role":"developer","content":"Be brief"},{"role":"user","name":"n","content":[{"type":"text","text":"x"}]},{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]},{"role":"user","content":"y"}]}
            """, Path);
        ChatRequest request = _harness.Backend.LastRequest!;
        Assert.Equal((1.7f, 99, 4, false), (request.Sampling.Temperature, request.MaxTokens, request.Stop.Count, request.ParallelToolCalls));
        Assert.Equal(ToolChoiceMode.Required, request.ToolChoice.Mode);
        Assert.Equal(["list"], request.Conversation.Tools.Select(tool => tool.Name));
        Assert.Equal([ChatRole.System, ChatRole.User, ChatRole.Assistant, ChatRole.User], request.Conversation.Messages.Select(message => message.Role));
    }

    [Fact]
    public async Task The_first_form_of_functions_is_answered_in_kind()
    {
        _harness.Backend.Script = _ => new([new(ChatEventKind.ToolCallStart, "read", 0), new(ChatEventKind.ToolCallArguments, "{}", 0), new(ChatEventKind.ToolCallEnd, "", 0)], FinishReason.ToolCalls);
        const string Functions = "\"functions\":[{\"name\":\"read\",\"parameters\":{\"type\":\"object\"}}],\"function_call\":{\"name\":\"read\"}";
        JsonElement whole = await _harness.ChatAsync(Body(Functions), Path);
        Assert.Equal("""{"name":"read","arguments":"{}"}""", whole.GetProperty("choices")[0].GetProperty("message").GetProperty("function_call").GetRawText());
        Assert.Equal("function_call", whole.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(new ToolChoice(ToolChoiceMode.Named, "read"), _harness.Backend.LastRequest!.ToolChoice);
        List<JsonElement> chunks = await _harness.StreamAsync(Body(Functions + ",\"stream\":true"), Path);
        Assert.Equal("""{"function_call":{"name":"read","arguments":""}}""", chunks[1].GetProperty("choices")[0].GetProperty("delta").GetRawText());

        await _harness.ChatAsync("""{"model":"glm-4.7","functions":[{"name":"read"}],"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"function_call":{"name":"read","arguments":"{\"a\":1}"} },{"role":"function","name":"read","content":"42"}]}""", Path);
        Assert.Equal(["read"], _harness.Backend.LastRequest!.Conversation.Messages[1].ToolCalls.Select(call => call.Name));
        Assert.Equal(ChatRole.Tool, _harness.Backend.LastRequest!.Conversation.Messages[2].Role);
    }

    [Theory]
    [InlineData("\"n\":0", "n")]
    [InlineData("\"n\":17", "n")]
    [InlineData("\"temperature\":2.1", "temperature")]
    [InlineData("\"presence_penalty\":2.5", "presence_penalty")]
    [InlineData("\"frequency_penalty\":\"x\"", "frequency_penalty")]
    [InlineData("\"logit_bias\":{\"12\":101}", "logit_bias.12")]
    [InlineData("\"logit_bias\":{\"hello\":1}", "logit_bias")]
    [InlineData("\"logit_bias\":[1]", "logit_bias")]
    [InlineData("\"top_logprobs\":3", "top_logprobs")]
    [InlineData("\"logprobs\":true,\"top_logprobs\":21", "top_logprobs")]
    [InlineData("\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "stop")]
    [InlineData("\"audio\":{\"voice\":\"alloy\"}", "audio")]
    [InlineData("\"moderation\":{\"model\":\"x\"}", "moderation")]
    [InlineData("\"modalities\":[\"text\",\"audio\"]", "modalities")]
    [InlineData("\"web_search_options\":{}", "web_search_options")]
    [InlineData("\"metadata\":{\"a\":1}", "metadata.a")]
    [InlineData("\"verbosity\":\"loud\"", "verbosity")]
    [InlineData("\"functions\":[{\"name\":\"a b\"}]", "functions[0].name")]
    [InlineData("\"functions\":[{\"name\":\"a\"},{\"name\":\"a\"}]", "functions[1].name")]
    [InlineData("\"functions\":[{\"name\":\"a\"}],\"function_call\":{\"name\":\"b\"}", "function_call.name")]
    [InlineData("\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"x\"}}]", "tools[0].type")]
    [InlineData("\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"auto\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"x\"}}]}}", "tool_choice.allowed_tools.tools[0].function.name")]
    [InlineData("\"max_completion_tokens\":0", "max_completion_tokens")]
    [InlineData("\"reasoning_effort\":\"extreme\"", "reasoning_effort")]
    public async Task A_wrong_field_is_named(string field, string param)
    {
        using HttpResponseMessage response = await _harness.PostAsync(Body(field), Path);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("error");
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Equal(param, error.GetProperty("param").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.Equal(0, _harness.Backend.Requests);
    }

    [Fact]
    public async Task Models_are_listed_in_the_shape_of_whoever_asks()
    {
        JsonElement list = JsonDocument.Parse(await _harness.Client.GetStringAsync("/v1/models", TestContext.Current.CancellationToken)).RootElement;
        Assert.Equal("list", list.GetProperty("object").GetString());
        Assert.Contains(list.GetProperty("data").EnumerateArray(), model => model.GetProperty("id").GetString() == "glm-4.7" && model.GetProperty("object").GetString() == "model");
        Assert.Equal("glm-4.7", JsonDocument.Parse(await _harness.Client.GetStringAsync("/v1/models/glm-4.7", TestContext.Current.CancellationToken)).RootElement.GetProperty("id").GetString());
        using HttpResponseMessage unknown = await _harness.Client.GetAsync("/v1/models/nope", TestContext.Current.CancellationToken);
        Assert.Equal(404, (int)unknown.StatusCode);
        Assert.Contains("model_not_found", await unknown.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        request.Headers.Add("anthropic-version", "2023-06-01");
        using HttpResponseMessage theirs = await _harness.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Contains("has_more", await theirs.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    private static bool HasChoice(JsonElement chunk) => chunk.GetProperty("choices").GetArrayLength() > 0;

    private static string Body(string field) => $$"""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]{{(field.Length > 0 ? "," : "")}}{{field}}}""";

    private static string Mask(string text) => CallId().Replace(text, "\"id\":\"*\"");

    [GeneratedRegex("\"id\":\"call_[0-9]+\"", RegexOptions.None, 60_000)]
    private static partial Regex CallId();
}
