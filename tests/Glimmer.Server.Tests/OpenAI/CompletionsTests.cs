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
        Assert.Equal((3, 2, new RawPrompt("Once")), (request.MaxTokens, request.TopLogProbs, request.Raw));
        Assert.Equal("Once", ((TextPart)request.Conversation.Messages.Single().Content[0]).Text);
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

    [Theory]
    [InlineData(Path, """{"model":"codegeex-4","prompt":"def f():","suffix":"return 1"}""", "def f():")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":"","suffix":"return 1"}""", "")]
    [InlineData("/api/generate", """{"model":"glm-4.7","prompt":"def f():","suffix":"return 1","stream":false}""", "def f():")]
    [InlineData("/infill", """{"input_prefix":"def ","prompt":"f():","input_suffix":"return 1"}""", "def f():")]
    public async Task A_gap_reaches_the_backend(string path, string body, string before)
    {
        await _harness.ChatAsync(body, path);
        Assert.Equal(new RawPrompt(before, null, "return 1"), _harness.Backend.LastRequest!.Raw);
    }

    [Fact]
    public async Task Tokens_are_gone_on_with()
    {
        await _harness.ChatAsync("""{"model":"glm-4.7","prompt":[1,2,3]}""", Path);
        Assert.Equal([1, 2, 3], _harness.Backend.LastRequest!.Raw!.Tokens!);
        JsonElement answer = await _harness.ChatAsync("""{"model":"glm-4.7","prompt":[[1],[4,5]]}""", Path);
        Assert.Equal([4, 5], _harness.Backend.LastRequest!.Raw!.Tokens!);
        Assert.Equal(2, answer.GetProperty("choices").GetArrayLength());
    }

    [Fact]
    public async Task The_best_of_several_are_given()
    {
        int made = 0;
        float[] chances = [-3, -1, -2, -0.5f, -4, -6];
        _harness.Backend.Script = _ =>
        {
            int i = made++ % chances.Length;
            SaidToken[] tokens = [.. Enumerable.Range(0, i + 1).Select(_ => new SaidToken("x"u8.ToArray(), chances[i], []))];
            return new([new ChatEvent(ChatEventKind.Content, $"{i}") { Tokens = tokens }]) { Usage = new(10, 0, 2, 0) };
        };
        JsonElement answer = await _harness.ChatAsync("""{"model":"glm-4.7","prompt":["a","b"],"n":2,"best_of":3}""", Path);
        Assert.Equal(["1", "2", "3", "4"], Texts(answer));
        Assert.Equal(["0,null", "1,null", "2,null", "3,null"], answer.GetProperty("choices").EnumerateArray().Select(choice => $"{choice.GetProperty("index")},{choice.GetProperty("logprobs").GetRawText()}"));
        Assert.Equal(12, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());

        // A backend that tells no probabilities ranks none.
        _harness.Backend.Script = _ => ChatScript.Of($"{made++}");
        made = 0;
        Assert.Equal(["0", "1"], Texts(await _harness.ChatAsync("""{"model":"glm-4.7","prompt":"a","n":2,"best_of":4}""", Path)));

        static IEnumerable<string?> Texts(JsonElement answer) => answer.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString());
    }

    [Fact]
    public async Task A_backend_that_takes_conversations_only_says_so()
    {
        _harness.Backend.TakesRawPrompts = false;
        foreach ((string path, string body) in new[] { (Path, """{"model":"glm-4.7","prompt":"x"}"""), ("/api/generate", """{"model":"glm-4.7","prompt":"x","raw":true}"""), ("/completion", """{"prompt":"x"}""") })
        {
            using HttpResponseMessage response = await _harness.PostAsync(body, path);
            Assert.Equal(("1212", 400), (response.Headers.TryGetValues("X-Glimmer-Code", out IEnumerable<string>? code) ? code.Single() : "", (int)response.StatusCode));
        }
    }

    [Fact]
    public async Task The_form_of_llama_cpp()
    {
        SaidToken token = new("Hi"u8.ToArray(), -0.5f, []);
        _harness.Backend.Script = _ => new([new ChatEvent(ChatEventKind.Content, "Hi") { Tokens = [token] }, new ChatEvent(ChatEventKind.Content, " you") { Tokens = [token] }], FinishReason.Length) { Usage = new(10, 4, 2, 0) };
        const string Body = "\"prompt\":\"Once\",\"n_predict\":2,\"n_probs\":3,\"temperature\":0,\"seed\":-1,\"logit_bias\":[[5,-1.5],[6,false]],\"stop\":[\"END\"],\"cache_prompt\":true";
        JsonElement whole = await _harness.ChatAsync($"{{{Body}}}", "/completion");
        Assert.Equal("Hi you|True|limit||10|2|4|Once", string.Join('|', Fields(whole, "content", "stop", "stop_type", "stopping_word", "tokens_evaluated", "tokens_predicted", "tokens_cached", "prompt")));
        Assert.Equal(2, whole.GetProperty("completion_probabilities").GetArrayLength());
        Assert.Equal(6, whole.GetProperty("timings").GetProperty("prompt_n").GetInt32());
        ChatRequest request = _harness.Backend.LastRequest!;
        Assert.Equal((new RawPrompt("Once"), 2, 3, true, null), (request.Raw, request.MaxTokens, request.TopLogProbs, request.Sampling.Greedy, request.Sampling.Seed));
        Assert.Equal([(5, -1.5f), (6, -100f)], request.Sampling.LogitBias!.Select(pair => (pair.Key, pair.Value)));

        using HttpResponseMessage response = await _harness.PostAsync($"{{{Body},\"stream\":true}}", "/completion");
        string stream = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        List<JsonElement> chunks = [.. stream.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line["data: ".Length..]).RootElement)];
        Assert.Equal("Hi you", string.Concat(chunks.Select(chunk => chunk.GetProperty("content").GetString())));
        Assert.Equal([false, false, true], chunks.Select(chunk => chunk.GetProperty("stop").GetBoolean()));
        Assert.Equal("limit", chunks[^1].GetProperty("stop_type").GetString());

        _harness.Backend.Script = _ => ChatScript.Of("x") with { StopText = "END" };
        Assert.Equal("word|END", string.Join('|', Fields(await _harness.ChatAsync($"{{{Body}}}", "/completion"), "stop_type", "stopping_word")));

        static IEnumerable<string> Fields(JsonElement answer, params string[] names) => names.Select(name => answer.GetProperty(name).ToString());
    }

    [Theory]
    [InlineData("/completion", """{}""")]
    [InlineData("/completion", """{"prompt":["a","b"]}""")]
    [InlineData("/completion", """{"prompt":"a","logit_bias":[[1]]}""")]
    [InlineData("/completion", """{"prompt":"a","logit_bias":[["a",1]]}""")]
    [InlineData("/completion", """{"prompt":"a","n_predict":"many"}""")]
    [InlineData("/infill", """{"input_prefix":"a"}""")]
    [InlineData("/infill", """{"input_prefix":"a","input_suffix":7}""")]
    public async Task A_wrong_request_of_llama_cpp_is_told(string path, string body)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, path);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("error");
        Assert.Equal((400, "invalid_request_error"), ((int)response.StatusCode, error.GetProperty("type").GetString()));
    }

    [Fact]
    public async Task A_raw_prompt_of_Ollama_reaches_the_backend_as_it_stands()
    {
        JsonElement answer = await _harness.ChatAsync("""{"model":"glm-4.7","prompt":"Once","raw":true,"stream":false}""", "/api/generate");
        Assert.Equal("Hello", answer.GetProperty("response").GetString());
        Assert.Equal(new RawPrompt("Once"), _harness.Backend.LastRequest!.Raw);
        using HttpResponseMessage refused = await _harness.PostAsync("""{"model":"glm-4.7","prompt":"Once","raw":true,"system":"s"}""", "/api/generate");
        Assert.Equal(400, (int)refused.StatusCode);
        JsonElement loaded = await _harness.ChatAsync("""{"model":"glm-4.7","raw":true,"stream":false}""", "/api/generate");
        Assert.Equal("load", loaded.GetProperty("done_reason").GetString());
    }

    [Theory]
    [InlineData(Path, """{"model":"glm-4.7"}""", 400, "prompt")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":[]}""", 400, "prompt")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":""}""", 400, "prompt")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":[1,-2]}""", 400, "prompt[1]")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":[[1,2],[3,"x"]]}""", 400, "prompt[1][1]")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":["a",1]}""", 400, "prompt[1]")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":[[]]}""", 400, "prompt[0]")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":{}}""", 400, "prompt")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":"x","n":3,"best_of":2}""", 400, "best_of")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":"x","best_of":2,"stream":true}""", 400, "best_of")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":["x","y"],"best_of":9}""", 400, "best_of")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":["x","y"],"n":9}""", 400, "n")]
    [InlineData(Path, """{"model":"glm-4.7","prompt":"x","logprobs":6}""", 400, "logprobs")]
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
