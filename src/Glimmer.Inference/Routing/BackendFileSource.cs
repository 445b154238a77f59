using Glimmer.Inference.Routing.Definitions;

namespace Glimmer.Inference.Routing;

/// <summary>
/// Keeps a pool to a file: reads it again at intervals and when told to, and gives the pool what it says once it has changed. A file that is wrong
/// changes nothing. It is read whole each time, so that it does not matter how it is replaced, and keys in files of their own are followed too.
/// </summary>
public sealed class BackendFileSource : IDisposable
{
    private readonly BackendPool _pool;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private BackendSet _current;
    private long _failures;
    private long _changes;

    private BackendFileSource(BackendPool pool, string path, BackendSet set)
    {
        _pool = pool;
        Path = path;
        _current = set;
        ChangedAt = pool.Time.GetUtcNow();
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>When what is in force was read.</summary>
    public DateTimeOffset ChangedAt { get; private set; }

    /// <summary>Why the file as it is now is not in force; null when it is.</summary>
    public string? Error { get; private set; }

    /// <summary>How often another set came into force.</summary>
    public long Changes => Volatile.Read(ref _changes);

    /// <summary>How often the file was found wrong anew.</summary>
    public long Failures => Volatile.Read(ref _failures);

    /// <summary>What is better said otherwise in the file in force.</summary>
    public IReadOnlyList<string> Warnings => Volatile.Read(ref _current).Warnings;

    /// <summary>Reads a file and gives the pool what it says.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="path">The file.</param>
    /// <param name="every">How often to look for changes; zero for never.</param>
    /// <exception cref="BackendFileException">It cannot be used.</exception>
    public static BackendFileSource Open(BackendPool pool, string path, TimeSpan every)
    {
        ArgumentNullException.ThrowIfNull(pool);
        BackendSet set = BackendFile.ReadFile(path);
        pool.Apply(set);
        var source = new BackendFileSource(pool, path, set);
        pool.Source = source;
        if (every > TimeSpan.Zero)
            _ = source.WatchAsync(every);
        return source;
    }

    /// <summary>Reads the file again, now.</summary>
    /// <returns>Whether another set is in force. False with <see cref="Error"/> null when it says what it said.</returns>
    public bool Reload()
    {
        lock (_lock)
        {
            try
            {
                BackendSet set = BackendFile.ReadFile(Path);
                if (set.SaysTheSameAs(_current))
                {
                    Error = null;
                    return false;
                }

                _pool.Apply(set);
                Volatile.Write(ref _current, set);
                ChangedAt = _pool.Time.GetUtcNow();
                Error = null;
                Interlocked.Increment(ref _changes);
                _pool.Tell("", "reloaded", $"{set.Backends.Count} backends of {Path}");
                return true;
            }
            catch (BackendFileException fault)
            {
                if (Error != fault.Message)
                {
                    Interlocked.Increment(ref _failures);
                    _pool.Tell("", "reload_failed", fault.Message);
                }

                Error = fault.Message;
                return false;
            }
        }
    }

    /// <summary>Looks no more.</summary>
    public void Dispose() => _stop.Cancel();

    private async Task WatchAsync(TimeSpan every)
    {
        CancellationToken stop = _stop.Token;
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(every, _pool.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stop.IsCancellationRequested)
                return;
            try
            {
                Reload();
            }
            catch (Exception fault)
            {
                // The next look may do better; that there is none after this one would be worse.
                _pool.Tell("", "reload_failed", fault.ToString().ReplaceLineEndings(" "));
            }
        }
    }
}
