using System.Collections.Concurrent;
using Glimmer.Inference.Embedded.Hosting;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Tests.Embedded.Hosting;

public sealed class ModelFileWatchTests : IDisposable
{
    private static readonly TimeSpan _often = TimeSpan.FromMilliseconds(5);
    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-watch-").FullName;
    private readonly Lines _lines = new();
    private int _stops;

    private string ModelPath => Path.Combine(_folder, "m.gguf");

    public void Dispose()
    {
        _lines.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_cut_in_place_stops_the_model_once()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows does not let a mapped file be cut short.");
        await using ModelFileWatch watch = Start();
        using (FileStream file = new(ModelPath, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            file.SetLength(10);
        await HostedCalls.UntilAsync(() => _lines.Written.Any(line => line.Contains("cut short", StringComparison.Ordinal)));
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.Equal(1, _stops);
    }

    [Fact]
    public async Task Replacing_and_deleting_are_told_and_stop_nothing()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows does not let an open file be replaced.");
        await using ModelFileWatch watch = Start();
        await File.WriteAllTextAsync(ModelPath + ".new", new string('x', 2000), TestContext.Current.CancellationToken);
        File.Move(ModelPath + ".new", ModelPath, overwrite: true);
        await HostedCalls.UntilAsync(() => _lines.Written.Any(line => line.Contains("was replaced", StringComparison.Ordinal)));
        File.Delete(ModelPath);
        await HostedCalls.UntilAsync(() => _lines.Written.Any(line => line.Contains("is gone", StringComparison.Ordinal)));
        Assert.Equal(0, _stops);
        Assert.Equal(2, _lines.Written.Count);
    }

    [Fact]
    public async Task Nothing_is_said_when_nothing_happens()
    {
        await using (Start())
            await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.Empty(_lines.Written);
        Assert.Equal(0, _stops);
    }

    private ModelFileWatch Start()
    {
        File.WriteAllText(ModelPath, new string('x', 1000));
        return ModelFileWatch.Start(ModelPath, () => { Interlocked.Increment(ref _stops); return Task.CompletedTask; }, _lines, _often);
    }

    private sealed class Lines : ILoggerFactory, ILogger
    {
        public ConcurrentQueue<string> Written { get; } = [];

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Written.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
