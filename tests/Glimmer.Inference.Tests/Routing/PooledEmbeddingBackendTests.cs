using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Tests.Routing;

public sealed class PooledEmbeddingBackendTests : IAsyncDisposable
{
    private static readonly RoutingOptions _quiet = new() { Probe = new ProbeOptions { Interval = TimeSpan.Zero } };
    private readonly Dictionary<string, FakeEmbeddings> _made = [];
    private readonly BackendPool _pool;

    public PooledEmbeddingBackendTests()
    {
        _pool = new BackendPool(static definition => new FakeBackend(definition), createEmbeddings: definition => [_made[definition.Name] = new FakeEmbeddings(definition.Name)]);
        _pool.Apply(new BackendSet([FakePool.Define("a"), FakePool.Define("b")], _quiet));
    }

    private PooledEmbeddingBackend Pool => Assert.Single(_pool.Embeddings);

    [Theory]
    [InlineData("throws")]
    [InlineData("500")]
    [InlineData("429")]
    public async Task Another_makes_them_where_one_fails(string how)
    {
        FakeEmbeddings broken = _made["a"];
        broken.Answer = () => how switch
        {
            "throws" => throw new IOException(),
            "429" => Task.FromResult(new EmbeddingOutcome(null, 0, PlatformError.Of(BusinessCode.Overloaded))),
            _ => Task.FromResult(new EmbeddingOutcome(null, 0, new PlatformError(BusinessCode.CallFailed, "broken") { Status = 500 })),
        };
        for (int i = 0; i < 20; i++)
            Assert.NotNull((await Pool.EmbedAsync([$"text {i}"], null, default)).Vectors);
        Assert.InRange(broken.Asked, 1, 20);
        Assert.All(_pool.List(), backend => Assert.Equal(0, backend.InFlight));
        Assert.Equal(how == "429", _pool.List()[0].Failures == 0);
    }

    [Fact]
    public async Task A_wrong_request_is_not_taken_elsewhere_and_all_away_is_503()
    {
        foreach (FakeEmbeddings backend in _made.Values)
            backend.Answer = static () => Task.FromResult(new EmbeddingOutcome(null, 0, PlatformError.Invalid("input", "it is wrong", "Send another")));
        Assert.Equal("input", (await Pool.EmbedAsync(["x"], null, default)).Error!.Field);
        Assert.Equal(1, _made.Values.Sum(backend => backend.Asked));
        _pool.Drain("a", true);
        _pool.Drain("b", true);
        Assert.Equal(503, (await Pool.EmbedAsync(["x"], null, default)).Error!.Status);
    }

    [Fact]
    public async Task When_all_throw_the_last_is_heard()
    {
        foreach (FakeEmbeddings backend in _made.Values)
            backend.Answer = static () => throw new IOException("gone");
        await Assert.ThrowsAsync<IOException>(() => Pool.EmbedAsync(["x"], null, default));
        Assert.Equal(2, _made.Values.Sum(backend => backend.Asked));
        Assert.All(_pool.List(), backend => Assert.Equal((0, 1L), (backend.InFlight, backend.Failures)));
    }

    [Fact]
    public async Task Full_backends_let_wait_in_order_and_refuse_when_the_line_is_full()
    {
        RoutingOptions options = _quiet with { Wait = TimeSpan.FromMinutes(5), WaitLength = 2 };
        _pool.Apply(new BackendSet([FakePool.Define("a", maxInFlight: 1)], options));
        TaskCompletionSource<EmbeddingOutcome> end = new();
        _made["a"].Answer = () => end.Task;
        Task<EmbeddingOutcome> running = Pool.EmbedAsync(["0"], null, default);
        using CancellationTokenSource leave = new();
        Task<EmbeddingOutcome> first = Pool.EmbedAsync(["1"], null, default), second = Pool.EmbedAsync(["2"], null, leave.Token);
        Assert.Equal(2, Pool.Waiting);
        EmbeddingOutcome refused = await Pool.EmbedAsync(["3"], null, default);
        Assert.Equal((BusinessCode.Overloaded, PlatformError.Of(BusinessCode.Overloaded).Status, TimeSpan.FromSeconds(1)), (refused.Error!.Code, refused.Error.Status, refused.Error.RetryAfter));

        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.Equal((1, false), (Pool.Waiting, first.IsCompleted));
        end.SetResult(new EmbeddingOutcome([[1f, 0f]], 3, null));
        Assert.NotNull((await running).Vectors);
        Assert.NotNull((await first).Vectors);
        Assert.Equal((0, 0, 2), (Pool.Waiting, _pool.List().Single(backend => backend.Name == "a").InFlight, _made["a"].Asked));
    }

    [Fact]
    public async Task Who_failed_at_one_waits_for_another_that_is_full()
    {
        _pool.Apply(new BackendSet([FakePool.Define("a", maxInFlight: 1), FakePool.Define("b", maxInFlight: 1)], _quiet with { Wait = TimeSpan.FromMinutes(5) }));
        TaskCompletionSource<EmbeddingOutcome> end = new();
        foreach (FakeEmbeddings backend in _made.Values)
            backend.Answer = () => end.Task;
        Task<EmbeddingOutcome> first = Pool.EmbedAsync(["0"], null, default);
        foreach (FakeEmbeddings backend in _made.Values)
            backend.Answer = static () => throw new IOException("gone");
        Task<EmbeddingOutcome> again = Pool.EmbedAsync(["1"], null, default);
        Assert.Equal((1, false), (Pool.Waiting, again.IsCompleted));
        foreach (FakeEmbeddings backend in _made.Values)
            backend.Answer = static () => Task.FromResult(new EmbeddingOutcome([[0f, 1f]], 3, null));
        end.SetResult(new EmbeddingOutcome([[1f, 0f]], 3, null));
        Assert.NotNull((await first).Vectors);
        Assert.Equal(1f, (await again).Vectors![0][1]);
        Assert.Equal(0, Pool.Waiting);
    }

    [Fact]
    public void Codes_go_with_their_backends()
    {
        _pool.Apply(new BackendSet([], _quiet));
        Assert.Empty(_pool.Embeddings);
    }

    public ValueTask DisposeAsync() => _pool.DisposeAsync();

    private sealed class FakeEmbeddings(string name) : IEmbeddingBackend
    {
        public string Name => name;

        public string Model => "e";

        public int Dimensions => 2;

        public int Asked { get; private set; }

        public Func<Task<EmbeddingOutcome>> Answer { get; set; } = static () => Task.FromResult(new EmbeddingOutcome([[1f, 0f]], 3, null));

        public Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
        {
            Asked++;
            return Answer();
        }
    }
}
