using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.OpenAI;

public sealed class CompletionsTests : IAsyncLifetime
{
    private const string Path = "/v1/completions";
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Fact]
    public async Task A_text_is_gone_on_with()
    {
        _harness.Backend.Script = _ => ChatScript.Of(" upon", " a time") with { Finish = FinishReason.Length };
        JsonElement answer = await _harness.ChatAsync("""{"model":"glm-4.7","prompt":"Once","max_tokens":3,"echo":true,"logprobs":2}""", Path);
        Assert.Equal("text_completion", answer.GetProperty("object").GetString());
        Assert.Equal("""[{"text":"Once upon a time","index":0,"logprobs":null,"finish_reason":"length"}]""", answer.GetProperty("choices").GetRawText());
        ChatRequest request = _harness.Backend.LastRequest!;
        Assert.Equal((3, 2, true, false), (request.MaxTokens, request.TopLogProbs, request.Conversation.Options.ContinueFinalMessage, request.Conversation.Options.EnableThinking));
        Assert.Equal("Once", ((TextPart)request.Conversation.Messages[^1].Content[0]).Text);
    }

    [Fact]
    public async Task Several_prompts_and_several_answers_are_choices_in_order()
    {
        _harness.Backend.Script = request => ChatScript.Of(((TextPart)request.Conversation.Messages[^1].Content[0]).Text.ToUpperInvariant()) with { Usage = new(10, 0, 2, 0) };
        const string Body = "\"model\":\"glm-4.7\",\"prompt\":[\"a\",\"b\"],\"n\":2,\"echo\":true";
        JsonElement answer = await _harness.ChatAsync($"{{{Body}}}", Path);
        Assert.Equal(["aA", "aA", "bB", "bB"], answer.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()));
        Assert.Equal((20, 8), (answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32()));
        List<JsonElement> chunks = await _harness.StreamAsync($"{{{Body},\"stream\":true,\"stream_options\":{{\"include_usage\":true}}}}", Path);
        Assert.Equal(["aA", "aA", "bB", "bB"], Enumerable.Range(0, 4).Select(choice => string.Concat(chunks.Where(chunk => chunk.GetProperty("choices").GetArrayLength() > 0)
            .Select(chunk => chunk.GetProperty("choices")[0]).Where(one => one.GetProperty("index").GetInt32() == choice).Select(one => one.GetProperty("text").GetString()))));
        Assert.Equal(28, chunks[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32());
    }

    [Fact]
    public async Task Probabilities_are_lists()
    {
        var token = new SaidToken("Hi"u8.ToArray(), -0.5f, [new("Hi"u8.ToArray(), -0.5f), new("x"u8.ToArray(), -2)]);
        _harness.Backend.Script = _ => new([new ChatEvent(ChatEventKind.Content, "HiHi") { Tokens = [token, token] }]);
        JsonElement answer = await _harness.ChatAsync("""{"model":"glm-4.7","prompt":"a","echo":true,"logprobs":2}""", Path);
        Assert.Equal(
            """{"tokens":["Hi","Hi"],"token_logprobs":[-0.5,-0.5],"top_logprobs":[{"Hi":-0.5,"x":-2},{"Hi":-0.5,"x":-2}],"text_offset":[1,3]}""",
            answer.GetProperty("choices")[0].GetProperty("logprobs").GetRawText());
    }

    [Fact]
    public async Task A_code_model_fills_gaps()
    {
        await _harness.ChatAsync("""{"model":"codegeex-4","prompt":"def f():","suffix":"return 1"}""", Path);
        string seen = string.Concat(_harness.Backend.LastRequest!.Conversation.Messages.SelectMany(message => message.Content.Cast<TextPart>()).Select(part => part.Text));
        Assert.Contains("def f():", seen, StringComparison.Ordinal);
        Assert.Contains("return 1", seen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Path, """{"model":"glm-4.7"}""", 400, "prompt")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":[]}""", 400, "prompt")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":[1,2]}""", 400, "prompt")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":"x","n":2,"best_of":3}""", 400, "best_of")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":["x","y"],"n":9}""", 400, "n")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":"x","logprobs":6}""", 400, "logprobs")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":"x","suffix":"y"}""", 400, "suffix")]
    [InlineData("/v1/embeddings", """{"model":"embedding-3"}""", 400, "input")]
    [InlineData("/v1/embeddings", """{"model":"embedding-3","input":"x","encoding_format":"hex"}""", 400, "encoding_format")]
    [InlineData("/v1/embeddings", """{"model":"nope","input":"x"}""", 404, "model")]
    [InlineData("/v1/embeddings", """{"model":"glm-4.7","input":"x"}""", 400, "model")]
    public async Task A_wrong_field_is_named(string path, string body, int status, string param)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, path);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("error");
        Assert.Equal((status, param), ((int)response.StatusCode, error.GetProperty("param").GetString()));
    }

    [Theory]
    [InlineData("/api/paas/v4/embeddings", """{"model":"embedding-3","input":["x"]}""", "1221")]
    [InlineData("/api/paas/v4/embeddings", """{"model":"nope","input":["x"]}""", "1211")]
    [InlineData("/api/paas/v4/rerank", """{"model":"rerank","query":"q","documents":["x"]}""", "1221")]
    [InlineData("/api/paas/v4/rerank", """{"model":"rerank","query":"q"}""", "1213")]
    public async Task Vectors_are_not_invented(string path, string body, string code)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, path);
        Assert.Contains($"\"code\":\"{code}\"", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }
}
