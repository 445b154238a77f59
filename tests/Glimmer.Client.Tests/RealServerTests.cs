using Glimmer.Client.Tests.Support;
using Glimmer.Inference;
using Glimmer.Inference.Embeddings;
using Microsoft.Extensions.AI;

namespace Glimmer.Client.Tests;

/// <summary>What the client's endpoints say against the real routes, beside the documented answers in <see cref="EndpointTests"/>.</summary>
public sealed class RealServerTests
{
    private const string Scenario = """
        models: [glm-4.7]
        rules:
          - when: { last: fail }
            reply: { error: { code: 1301 } }
          - when: { last: think }
            reply: { thinking: Hm., text: thought }
        fallback: hello
        """;

    [Fact]
    public async Task Asynchronous_chat_gives_what_the_chat_gives()
    {
        await using TestHouse house = await TestHouse.StartAsync(TestHouse.Script(Scenario));
        var request = new CompletionRequest { Model = "glm-4.7", Messages = [Message.User("think")], RequestId = "later-please", UserId = "end-user-1" };
        AsyncTask task = await house.Client.Async.SubmitAsync(request);
        Assert.Equal(("later-please", "glm-4.7", "PROCESSING"), (task.RequestId, task.Model, task.TaskStatus));
        Completion later = await house.Client.Async.WaitAsync(task.Id, TimeSpan.FromMilliseconds(5));
        Completion now = await house.Client.Chat.CompleteAsync(request with { RequestId = "now-please" });
        Assert.Equal(("thought", "Hm.", "SUCCESS"), (later.Text, later.Choices[0].Message!.ReasoningContent, later.TaskStatus));
        Assert.Equal((now.Text, now.Choices[0].FinishReason, now.Usage), (later.Text, later.Choices[0].FinishReason, later.Usage));
        Assert.Equal(later.Text, (await house.Client.Async.GetAsync(task.Id)).Text);

        // One window of request ids for both.
        Assert.Equal(1231, (await Assert.ThrowsAsync<GlimmerInvalidRequestException>(() => house.Client.Chat.CompleteAsync(request))).Code);
        Assert.Equal(1231, (await Assert.ThrowsAsync<GlimmerInvalidRequestException>(() => house.Client.Async.SubmitAsync(request with { RequestId = "now-please" }))).Code);
    }

    [Fact]
    public async Task A_task_that_fails_or_is_not_there_throws()
    {
        await using TestHouse house = await TestHouse.StartAsync(TestHouse.Script(Scenario));
        AsyncTask task = await house.Client.Async.SubmitAsync(new CompletionRequest { Model = "glm-4.7", Messages = [Message.User("fail")] });
        await Assert.ThrowsAsync<GlimmerServerException>(() => house.Client.Async.WaitAsync(task.Id, TimeSpan.FromMilliseconds(5)));
        Assert.Equal("FAIL", (await house.Client.Async.GetAsync(task.Id)).TaskStatus);
        Assert.Equal(1214, (await Assert.ThrowsAsync<GlimmerInvalidRequestException>(() => house.Client.Async.GetAsync("nothing"))).Code);
        var unknown = new CompletionRequest { Model = "nothing", Messages = [Message.User("x")] };
        Assert.Equal(1211, (await Assert.ThrowsAsync<GlimmerInvalidRequestException>(() => house.Client.Async.SubmitAsync(unknown))).Code);
    }

    [Fact]
    public async Task Embeddings_and_ranks_are_those_of_the_model()
    {
        await using TestHouse house = await TestHouse.StartAsync(TestHouse.Script(Scenario));
        var request = new EmbeddingRequest { Model = "embedding-3", Input = ["How are you?", "Where is the station?"] };
        Assert.Equal(1221, (await Assert.ThrowsAsync<GlimmerInvalidRequestException>(() => house.Client.Embeddings.CreateAsync(request))).Code);

        await using EmbeddedEmbeddingBackend backend = TestHouse.Embeddings();
        house.Slot.FillEmbeddings([backend]);
        EmbeddingOutcome made = await backend.EmbedAsync(request.Input, null, TestContext.Current.CancellationToken);
        foreach (string format in new[] { "float", "base64" })
        {
            EmbeddingResult result = await house.Client.Embeddings.CreateAsync(request with { EncodingFormat = format });
            Assert.Equal(("embedding-3", made.Tokens), (result.Model, result.Usage!.TotalTokens));
            for (int i = 0; i < 2; i++)
                Assert.Equal(made.Vectors![i], result.Data[i].Embedding.ToArray());
        }

        using IEmbeddingGenerator<string, Embedding<float>> generator = house.Client.Embeddings.AsEmbeddingGenerator("embedding-3");
        GeneratedEmbeddings<Embedding<float>> generated = await generator.GenerateAsync(["How are you?"], new EmbeddingGenerationOptions { Dimensions = 16 }, TestContext.Current.CancellationToken);
        Assert.Equal((await backend.EmbedAsync(["How are you?"], 16, TestContext.Current.CancellationToken)).Vectors![0], generated[0].Vector.ToArray());

        RerankResult ranked = await house.Client.Rerank.CreateAsync(new RerankRequest
        {
            Model = "rerank",
            Query = "How are you?",
            Documents = ["Where is the station?", "How are you?"],
            TopN = 1,
            ReturnDocuments = true,
            ReturnRawScores = true,
            RequestId = "rank-these",
        });
        Assert.Equal((1, "How are you?", "rank-these"), (ranked.Results.Single().Index, ranked.Results.Single().Document, ranked.RequestId));
        Assert.Equal(1, ranked.Results.Single().RelevanceScore, 1e-6);
        Assert.True(ranked.Usage!.TotalTokens > 0 && ranked.Created > 0);
        Assert.Equal(1261, (await Assert.ThrowsAsync<GlimmerInvalidRequestException>(() => house.Client.Embeddings.CreateAsync(request with { Input = [string.Concat(Enumerable.Repeat("word ", 20_000))] }))).Code);
    }

    [Fact]
    public async Task Counting_takes_tools_and_models_are_listed_as_the_server_offers_them()
    {
        await using TestHouse house = await TestHouse.StartAsync(TestHouse.Script(Scenario));
        IReadOnlyList<Message> messages = [Message.User("How many?")];
        var tool = new ToolFunction("f", "Does.", new ToolParameters().Text("a", "A."), static _ => "x");
        int plain = (await house.Client.Tokenizer.CountAsync(new TokenizerRequest { Model = "glm-4.7", Messages = messages })).Usage.PromptTokens;
        TokenizerResult counted = await house.Client.Tokenizer.CountAsync(new TokenizerRequest { Model = "glm-4.7", Messages = messages, Tools = [tool.ToTool()], RequestId = "count-these" });
        Assert.True(counted.Usage.PromptTokens > plain);
        Assert.Equal(("count-these", counted.Usage.PromptTokens), (counted.RequestId, counted.Usage.TotalTokens));
        IReadOnlyList<ModelInfo> models = await house.Client.Models.ListAsync();
        foreach (ModelInfo model in models)
            Assert.Equal(model.Id, (await house.Client.Models.GetAsync(model.Id)).Id);
    }
}
