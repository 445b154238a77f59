using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Inference.Tests.Embedded.Hosting;

namespace Glimmer.Inference.Tests.Routing;

public sealed class BackendFileSourceTests : IAsyncDisposable
{
    private readonly string _path = Path.Combine(Directory.CreateTempSubdirectory("glimmer-backends-").FullName, "backends.yaml");
    private readonly ManualTime _time = new();
    private readonly FakePool _pool;

    public BackendFileSourceTests() => _pool = FakePool.Of(_time, new RoutingOptions());

    [Fact]
    public async Task A_changed_file_is_followed_and_a_broken_one_changes_nothing()
    {
        Write("a", "b");
        BackendFileSource source = BackendFileSource.Open(_pool.Pool, _path, TimeSpan.FromSeconds(5));
        Assert.Equal(["a", "b"], Names());
        await LookAsync();
        Assert.Equal((0L, 0L, null), (source.Changes, source.Failures, source.Error));

        Write("b", "c");
        await LookAsync();
        await FakePool.UntilAsync(() => source.Changes == 1);
        Assert.Equal(["b", "c"], Names());

        await File.WriteAllTextAsync(_path, "backends:\n- {name: b}");
        await LookAsync();
        await FakePool.UntilAsync(() => source.Error is not null);
        await LookAsync();
        Assert.Contains("line 2", source.Error, StringComparison.Ordinal);
        Assert.Equal((1L, 1L), (source.Changes, source.Failures));
        Assert.Equal(["b", "c"], Names());
        Assert.Contains(_pool.Pool.Events, item => item.What == "reload_failed");

        File.Delete(_path);
        Assert.False(source.Reload());
        Assert.Equal(2, source.Failures);
        Write("b", "c");
        Assert.False(source.Reload());
        Assert.Null(source.Error);
        Write("b", "impossible");
        Assert.False(source.Reload());
        Assert.Contains("no tokenizer", source.Error, StringComparison.Ordinal);
        Assert.Equal(["b", "c"], Names());
        Write("d");
        Assert.True(source.Reload());
        Assert.Equal(["d"], Names());
    }

    [Fact]
    public void A_file_that_is_wrong_at_the_start_is_an_error()
    {
        File.WriteAllText(_path, "backend: []");
        Assert.Throws<BackendFileException>(() => BackendFileSource.Open(_pool.Pool, _path, TimeSpan.Zero));
        Assert.Null(_pool.Pool.Source);
    }

    private IEnumerable<string> Names() => _pool.Pool.List().Where(backend => !backend.Removed).Select(backend => backend.Name);

    private void Write(params string[] names) =>
        File.WriteAllText(_path, "backends:\n" + string.Concat(names.Select(name => $"- {{name: {name}, kind: openai, url: 'http://127.0.0.1:1', models: [m]}}\n")) + "routing: {probe: {interval: off}}\n");

    private async Task LookAsync()
    {
        await FakePool.UntilAsync(() => _time.Waiting > 0);
        _time.Advance(TimeSpan.FromSeconds(6));
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(Path.GetDirectoryName(_path)!, recursive: true);
        return _pool.DisposeAsync();
    }
}
