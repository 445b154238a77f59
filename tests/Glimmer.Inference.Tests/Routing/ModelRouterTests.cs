using Glimmer.Inference.Routing;

namespace Glimmer.Inference.Tests.Routing;

public sealed class ModelRouterTests
{
    [Fact]
    public void Own_names_come_first_and_the_stand_in_answers_for_the_catalogues_chat_codes_only()
    {
        Named tiny = new("glimmer-tiny"), remote = new("GLM-4.7");
        ModelRouter router = new([tiny, remote], tiny, code => code.StartsWith("glm-", StringComparison.OrdinalIgnoreCase));

        Assert.Equal(new ResolvedModel(tiny, "glimmer-tiny", false), router.Resolve("Glimmer-Tiny"));
        Assert.Equal(new ResolvedModel(remote, "GLM-4.7", false), router.Resolve("glm-4.7"));
        Assert.Equal(new ResolvedModel(tiny, "glimmer-tiny", true), router.Resolve("glm-5.2"));
        Assert.Null(router.Resolve("gpt-5"));
        Assert.Null(new ModelRouter([tiny], null, _ => true).Resolve("glm-5.2"));
    }

    [Fact]
    public void Of_several_the_first_that_is_ready_answers()
    {
        Named first = new("m") { IsReady = false }, second = new("m");
        ModelRouter router = new([first, second], null, _ => false);
        Assert.Same(second, router.Resolve("m")!.Value.Backend);
        second.IsReady = false;
        Assert.Same(first, router.Resolve("m")!.Value.Backend);
    }

    private sealed class Named(string model) : IChatBackend
    {
        public string Name => model;

        public IReadOnlyList<string> Models { get; } = [model];

        public bool IsReady { get; set; } = true;

        public ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel) => throw new NotSupportedException();
    }
}
