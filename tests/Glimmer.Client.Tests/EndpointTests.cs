using System.Text.Json.Nodes;
using Glimmer.Client.Tests.Support;
using Microsoft.Extensions.AI;

namespace Glimmer.Client.Tests;

/// <summary>Every endpoint, against a real server where it serves it, else against the platform's documented answers.</summary>
public sealed class EndpointTests
{
    private const string Scenario = """
        models: [glm-4.7]
        rules:
          - when: { result_of: f }
            reply: "got {{last}}"
          - when: { tool: f }
            reply:
              thinking: Hm.
              tool_calls:
                - name: f
                  arguments: { a: 1 }
        fallback: hello
        """;

    [Fact]
    public async Task A_real_server_tells_models_counts_balance_and_quota()
    {
        await using TestHouse house = await TestHouse.StartAsync(TestHouse.Script(Scenario));
        IReadOnlyList<ModelInfo> models = await house.Client.Models.ListAsync();
        Assert.Contains(models, model => model.Id == "glm-4.7");
        ModelInfo one = await house.Client.Models.GetAsync("glm-4.7");
        Assert.Equal("script", (string?)one.Extra!["x_glimmer"]!["backend"]);
        var missing = await Assert.ThrowsAsync<GlimmerInvalidRequestException>(() => house.Client.Models.GetAsync("no/such model"));
        Assert.Equal(Glimmer.Protocol.Errors.BusinessCode.ModelMissing, missing.BusinessCode);
        Assert.NotNull(missing.RequestId);

        IReadOnlyList<Message> prompt = [Message.User("How many?")];
        TokenizerResult count = await house.Client.Tokenizer.CountAsync(new TokenizerRequest { Model = "glm-4.7", Messages = prompt });
        Completion answer = await house.Client.Chat.CompleteAsync(new CompletionRequest { Model = "glm-4.7", Messages = prompt });
        Assert.Equal(answer.Usage!.PromptTokens, count.Usage.TotalTokens);

        Assert.NotEmpty(await house.Client.Billing.BalanceAsync());
        await house.Client.Billing.UsageAsync(new DateOnly(2026, 1, 1), new DateOnly(2026, 1, 31));
        Assert.Equal("free", (await house.Client.Monitor.QuotaAsync()).Level);
        Assert.NotNull((await house.Client.Monitor.ModelUsageAsync())["totalUsage"]);
    }

    [Fact]
    public async Task A_real_server_checks_signed_tokens_and_refuses_others()
    {
        await using TestHouse house = await TestHouse.StartAsync(TestHouse.Script(Scenario));
        GlimmerClientOptions options = new() { ApiKey = house.Server.FirstKey!.Value.Credential, BaseUrl = house.Client.BaseUrl, SignTokens = true };
        using var signed = new GlimmerClient(options);
        Assert.NotEmpty(await signed.Models.ListAsync());
        using var wrong = new GlimmerClient(options with { ApiKey = options.ApiKey!.Split('.')[0] + ".wrong" });
        await Assert.ThrowsAsync<GlimmerAuthenticationException>(() => wrong.Models.ListAsync());
        var quota = await Assert.ThrowsAsync<GlimmerAuthenticationException>(() => wrong.Monitor.QuotaAsync());
        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, quota.Status);
    }

    [Fact]
    public async Task A_request_id_that_came_before_is_refused()
    {
        await using TestHouse house = await TestHouse.StartAsync(TestHouse.Script(Scenario));
        var request = new CompletionRequest { Model = "glm-4.7", Messages = [Message.User("x")], RequestId = "only-once-please" };
        Assert.Equal("only-once-please", (await house.Client.Chat.CompleteAsync(request)).RequestId);
        var fault = await Assert.ThrowsAsync<GlimmerInvalidRequestException>(() => house.Client.Chat.CompleteAsync(request));
        Assert.Equal(1231, fault.Code);
    }

    [Fact]
    public async Task Asynchronous_chat_is_waited_for()
    {
        await using var server = new RawServer(
            RawServer.Says(200, """{"id":"t/1","request_id":"r","model":"m","task_status":"PROCESSING"}"""),
            RawServer.Says(200, """{"id":"t/1","model":"m","task_status":"PROCESSING"}"""),
            RawServer.Says(200, """{"id":"t/1","model":"m","task_status":"SUCCESS","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"done"}}]}"""),
            RawServer.Says(200, """{"id":"t/1","model":"m","task_status":"FAIL"}"""));
        using GlimmerClient client = server.Client();
        AsyncTask task = await client.Async.SubmitAsync(new CompletionRequest { Model = "m", Messages = [Message.User("x")], Extra = new JsonObject { ["x_own"] = 7 } });
        Assert.Equal("done", (await client.Async.WaitAsync(task.Id, TimeSpan.FromMilliseconds(1))).Text);
        await Assert.ThrowsAsync<GlimmerServerException>(() => client.Async.WaitAsync(task.Id));
        (string Head, string Body)[] sent = [.. server.Requests];
        Assert.Contains("\"x_own\":7", sent[0].Body, StringComparison.Ordinal);
        Assert.DoesNotContain("stream", sent[0].Body, StringComparison.Ordinal);
        Assert.StartsWith("GET /api/paas/v4/async-result/t%2F1 ", sent[1].Head, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Embeddings_are_read_as_numbers_and_as_base64()
    {
        await using var server = new RawServer(RawServer.Says(200, """
            {"object":"list","model":"embedding-3","data":[{"object":"embedding","index":1,"embedding":"AACAPwAAAMA="},{"object":"embedding","index":0,"embedding":[0.5,-1]}],"usage":{"prompt_tokens":2,"total_tokens":2}}
            """));
        using GlimmerClient client = server.Client();
        IEmbeddingGenerator<string, Embedding<float>> generator = client.Embeddings.AsEmbeddingGenerator("embedding-3");
        GeneratedEmbeddings<Embedding<float>> made = await generator.GenerateAsync(["a", "b"], new EmbeddingGenerationOptions { Dimensions = 2 });
        Assert.Equal([0.5f, -1f], made[0].Vector.ToArray());
        Assert.Equal([1f, -2f], made[1].Vector.ToArray());
        Assert.Equal(2, made.Usage!.TotalTokenCount);
        Assert.Equal("""{"model":"embedding-3","input":["a","b"],"dimensions":2}""", server.Requests.Single().Body);
    }

    [Fact]
    public async Task Documents_are_ranked()
    {
        await using var server = new RawServer(RawServer.Says(200, """{"id":"i","results":[{"index":1,"relevance_score":0.75,"document":"b"}],"usage":{"prompt_tokens":7,"total_tokens":7}}"""));
        using GlimmerClient client = server.Client();
        RerankResult result = await client.Rerank.CreateAsync(new RerankRequest { Model = "rerank", Query = "q", Documents = ["a", "b"], TopN = 1 });
        Assert.Equal(0.75, result.Results.Single().RelevanceScore);
        Assert.Equal("""{"model":"rerank","query":"q","documents":["a","b"],"top_n":1}""", server.Requests.Single().Body);
    }

    [Fact]
    public async Task A_chat_is_a_chat_client_streamed_or_not()
    {
        await using TestHouse house = await TestHouse.StartAsync(TestHouse.Script(Scenario));
        AIFunctionDeclaration tool = AIFunctionFactory.CreateDeclaration("f", "does", System.Text.Json.JsonDocument.Parse("""{"type":"object","properties":{"a":{"type":"integer"}}}""").RootElement);
        var options = new ChatOptions { Tools = [tool], MaxOutputTokens = 50 };
        foreach (IGlimmerChat chat in new IGlimmerChat[] { house.Client.Chat, house.InProcess })
        {
            using IChatClient client = chat.AsChatClient("glm-4.7");
            List<ChatMessage> messages = [new(ChatRole.User, "go")];
            ChatResponse first = await client.GetResponseAsync(messages, options);
            var updates = new List<ChatResponseUpdate>();
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(messages, options))
                updates.Add(update);
            ChatResponse streamed = updates.ToChatResponse();
            Assert.Equal(Text(first), Text(streamed));
            Assert.Equal(ChatFinishReason.ToolCalls, first.FinishReason);
            Assert.Equal(first.Usage!.TotalTokenCount, streamed.Usage!.TotalTokenCount);
            FunctionCallContent call = first.Messages[0].Contents.OfType<FunctionCallContent>().Single();
            messages.AddRange(first.Messages);
            messages.Add(new ChatMessage(ChatRole.Tool, [new FunctionResultContent(call.CallId, "42")]));
            Assert.Equal("got 42", (await client.GetResponseAsync(messages, options)).Text);
            Assert.Same(chat, client.GetService(typeof(IGlimmerChat)));
        }

        static string Text(ChatResponse response) => string.Join('|', response.Messages.SelectMany(message => message.Contents).Select(content => content switch
        {
            TextReasoningContent reasoning => "r:" + reasoning.Text,
            TextContent text => "t:" + text.Text,
            FunctionCallContent call => $"c:{call.Name}{string.Join(',', call.Arguments!)}",
            _ => "",
        }).Where(text => text.Length > 0));
    }
}
