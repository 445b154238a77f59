using System.Text.Json.Nodes;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;
using static Glimmer.Inference.Tests.Relay.RelayCases;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>Embeddings of a service.</summary>
public sealed class RelayEmbeddingTests
{
    private const string Two = """{"object":"list","data":[{"object":"embedding","index":1,"embedding":[0,2]},{"embedding":[3,4],"index":0}],"usage":{"prompt_tokens":9,"total_tokens":9}}""";

    [Theory]
    [InlineData(BackendKind.OpenAI, "/embeddings")]
    [InlineData(BackendKind.Zai, "/embeddings")]
    [InlineData(BackendKind.Vllm, "/v1/embeddings")]
    public async Task Vectors_come_in_the_order_of_their_texts_with_length_1(BackendKind kind, string path)
    {
        await using FakeUpstream upstream = FakeUpstream.Json(200, Two);
        await using RelayEmbeddingBackend backend = Make(upstream, kind);
        Assert.Equal(("up", "embedding-3", 0), (backend.Name, backend.Model, backend.Dimensions));
        EmbeddingOutcome outcome = await backend.EmbedAsync(["a", "b"], null, default);
        Assert.Equal([[0.6f, 0.8f], [0f, 1f]], outcome.Vectors!);
        Assert.Equal((9, 2), (outcome.Tokens, backend.Dimensions));
        Assert.Equal(path, upstream.Requests.Single().Path);
        Assert.Equal("""{"model":"far","input":["a","b"],"encoding_format":"float"}""", JsonNode.Parse(upstream.Requests.Single().Body)!.ToJsonString());

        await backend.EmbedAsync(["a", "b"], 2, default);
        Assert.Equal(2, (int)JsonNode.Parse(upstream.Requests.Last().Body)!["dimensions"]!);
        Assert.Equal("dimensions", (await backend.EmbedAsync(["a"], 3, default)).Error!.Field);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"data":[{"index":0,"embedding":[1,2]}]}""")]
    [InlineData("""{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]}""")]
    [InlineData("""{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1]}]}""")]
    [InlineData("""{"data":[{"index":0,"embedding":[1,2]},{"index":7,"embedding":[1,2]}]}""")]
    [InlineData("""{"data":[{"index":0,"embedding":[1,"2"]},{"index":1,"embedding":[1,2]}]}""")]
    [InlineData("""{"data":[{"index":0,"embedding":[1,1e999]},{"index":1,"embedding":[1,2]}]}""")]
    [InlineData("""{"data":[{"index":0,"embedding":[1""")]
    [InlineData("""{"data":7}""")]
    public async Task An_answer_that_is_none_is_the_backends_fault(string body)
    {
        await using FakeUpstream upstream = FakeUpstream.Json(200, body);
        await using RelayEmbeddingBackend backend = Make(upstream, BackendKind.OpenAI);
        EmbeddingOutcome outcome = await backend.EmbedAsync(["a", "b"], null, default);
        Assert.Null(outcome.Vectors);
        Assert.Equal(BusinessCode.Network, outcome.Error!.Code);
    }

    [Fact]
    public async Task Texts_that_nobody_counted_are_estimated()
    {
        LogLines log = new();
        await using FakeUpstream upstream = FakeUpstream.Json(200, """{"data":[{"embedding":[1]}]}""");
        await using RelayEmbeddingBackend backend = Make(upstream, BackendKind.OpenAI, log);
        Assert.Equal(2, (await backend.EmbedAsync(["12345"], null, default)).Tokens);
        Assert.Contains(log.Lines, static line => line.Id == 6113);
    }

    [Theory]
    [InlineData(400, "1214", BusinessCode.ParameterInvalid)]
    [InlineData(401, "1002", BusinessCode.Network)]
    [InlineData(429, "1302", BusinessCode.Overloaded)]
    public async Task Refusals_are_mapped_as_those_of_chats(int status, string said, BusinessCode code)
    {
        LogLines log = new();
        await using FakeUpstream upstream = FakeUpstream.Json(status, $$"""{"error":{"code":"{{said}}","message":"{{Key}}"} }""");
        await using RelayEmbeddingBackend backend = Make(upstream, BackendKind.Zai, log);
        Assert.Equal(code, (await backend.EmbedAsync(["a"], null, default)).Error!.Code);
        Assert.DoesNotContain(Key, log.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kinds_of_models_are_kept_apart()
    {
        BackendDefinition definition = Define(new Uri("http://127.0.0.1:9")) with
        {
            Models = [new BackendModel { Code = "glm-4.7" }, new BackendModel { Code = "embedding-3", Kind = BackendModelKind.Embedding, Dimensions = 2048 }],
        };
        await using IRemoteBackend chat = RelayBackends.Create(definition, TimeProvider.System, new LogLines());
        Assert.Equal(["glm-4.7"], chat.Models);
        RelayEmbeddingBackend embedding = Assert.Single(RelayBackends.CreateEmbeddings(definition, TimeProvider.System, new LogLines()));
        Assert.Equal(("embedding-3", 2048), (embedding.Model, embedding.Dimensions));
        Assert.Equal(BusinessCode.Network, (await embedding.EmbedAsync(["a"], null, default)).Error!.Code);
        await embedding.DisposeAsync();
        Assert.Throws<ArgumentException>(() => RelayBackends.CreateEmbeddings(definition with { Kind = BackendKind.Anthropic }, TimeProvider.System, new LogLines()));
    }

    private static RelayEmbeddingBackend Make(FakeUpstream upstream, BackendKind kind, LogLines? log = null) => RelayBackends.CreateEmbeddings(
        Define(upstream.Address, kind) with { Models = [new BackendModel { Code = "embedding-3", Name = "far", Kind = BackendModelKind.Embedding }] }, TimeProvider.System, log ?? new LogLines())[0];
}
