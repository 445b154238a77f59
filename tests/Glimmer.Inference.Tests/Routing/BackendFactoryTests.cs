using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Inference.Tests.Routing;

public sealed class BackendFactoryTests
{
    [Theory]
    [InlineData(BackendKind.Vllm, false, true)]
    [InlineData(BackendKind.SGLang, false, true)]
    [InlineData(BackendKind.LlamaServer, false, true)]
    [InlineData(BackendKind.LlamaServer, true, false)]
    [InlineData(BackendKind.OpenAI, false, false)]
    [InlineData(BackendKind.Anthropic, false, false)]
    [InlineData(BackendKind.Zai, false, false)]
    public async Task Kinds_become_backends_that_are_sent_tokens_or_messages(BackendKind kind, bool chat, bool raw)
    {
        BackendFactory factory = new(TimeProvider.System, NullLoggerFactory.Instance);
        BackendDefinition definition = FakePool.Define("a") with { Kind = kind, ChatMode = chat };
        Assert.Equal(raw, BackendFactory.IsRaw(definition));
        await using IRemoteBackend backend = (IRemoteBackend)factory.Create(definition);
        Assert.Equal(raw ? "Glimmer.Inference.Remote" : "Glimmer.Inference.Relay", backend.GetType().Namespace);
        Assert.Equal([FakePool.Model], backend.Models);
        Assert.Empty(factory.CreateEmbeddings(definition));
    }

    [Fact]
    public async Task Embedding_models_stand_beside_chat_models_and_may_stand_alone()
    {
        BackendFactory factory = new(TimeProvider.System, NullLoggerFactory.Instance);
        BackendDefinition both = FakePool.Define("both") with
        {
            Kind = BackendKind.Vllm,
            Models = [new BackendModel { Code = "c" }, new BackendModel { Code = "e", Kind = BackendModelKind.Embedding, Dimensions = 8 }],
        };
        BackendDefinition alone = FakePool.Define("alone") with { Kind = BackendKind.Vllm, Models = [new BackendModel { Code = "E", Kind = BackendModelKind.Embedding }] };
        await using BackendPool pool = new(factory.Create, createEmbeddings: factory.CreateEmbeddings);
        pool.Apply(new BackendSet([both, alone], new RoutingOptions { Probe = new ProbeOptions { Interval = TimeSpan.Zero } }));
        Assert.Equal(["c"], pool.Models.Select(model => model.Code));
        PooledEmbeddingBackend embeddings = Assert.Single(pool.Embeddings);
        Assert.Equal(("e", "pool:e", 8), (embeddings.Model, embeddings.Name, embeddings.Dimensions));
    }
}
