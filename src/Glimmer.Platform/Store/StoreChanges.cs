using Npgsql;

namespace Glimmer.Platform.Store;

/// <summary>
/// Tells watchers when a topic has a new version (<see cref="StoreSession.NextVersion"/>), whichever process made it:
/// by asking now and then, on PostgreSQL also by NOTIFY, and at once for changes of this process.
/// </summary>
internal sealed class StoreChanges : IDisposable
{
    /// <summary>PostgreSQL's channel.</summary>
    public const string Channel = "glimmer_store";

    private readonly StoreConnections _connections;
    private readonly TimeSpan _every;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Watcher> _watchers = [];
    private readonly StorePresence _presence;
    private Task? _loop;

    public StoreChanges(StoreConnections connections, StorePresence presence, StoreSettings settings)
    {
        _connections = connections;
        _presence = presence;
        _every = settings.ChangePoll;
    }

    /// <summary>Called when looking for changes, or a watcher, failed; it is tried again.</summary>
    public Action<Exception>? Faulted { get; set; }

    /// <summary>Calls back, one call at a time, when the topic's version is another than the one known.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="known">The version whose state the caller has.</param>
    /// <param name="changed">Gets the new version. When it throws it is called again at the next look.</param>
    public IDisposable Watch(string topic, long known, Action<long> changed)
    {
        var watcher = new Watcher(this, topic, known, changed);
        lock (_lock)
        {
            _watchers.Add(watcher);
            _loop ??= Task.Run(LoopAsync);
        }

        return watcher;
    }

    /// <summary>Looks at once.</summary>
    public void Signal()
    {
        if (_wake.CurrentCount == 0)
            _wake.Release();
    }

    public void Dispose()
    {
        if (_stop.IsCancellationRequested)
            return;
        _stop.Cancel();
        try
        {
            _loop?.Wait();
        }
        catch (AggregateException fault) when (fault.InnerException is OperationCanceledException)
        {
            // How it ends.
        }

        _stop.Dispose();
        _wake.Dispose();
    }

    private async Task LoopAsync()
    {
        Task listener = _connections.Dialect.Kind == StoreKind.Postgres ? ListenAsync() : Task.CompletedTask;
        bool missed = false;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Look();
                missed = false;
            }
            catch (Exception fault) when (fault is StoreAwayException || StoreDialect.IsAbsence(fault))
            {
                // Told by the presence, once.
                if (missed && !StoreDialect.IsEndOfConnection(fault))
                    _presence.Failed(fault, writing: false);
                missed = true;
                _connections.Forget();
            }
            catch (Exception fault)
            {
                Faulted?.Invoke(fault);
            }

            await ((Task)_wake.WaitAsync(_every, _stop.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await listener.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Look()
    {
        Watcher[] watchers;
        lock (_lock)
            watchers = [.. _watchers];

        // Without watchers too while the database is away: who found out that it is has to find out that it is back.
        if (watchers.Length == 0 && !_presence.IsAway)
            return;
        Dictionary<string, long> versions;
        StoreConnection connection = _connections.Rent();
        bool healthy = false;
        try
        {
            versions = connection.Session().List<(string Topic, long Version)>("SELECT topic, version FROM store_topics").ToDictionary(row => row.Topic, row => row.Version, StringComparer.Ordinal);
            healthy = true;
        }
        finally
        {
            _connections.Return(connection, healthy);
        }

        _presence.Answered(writing: false);
        foreach (Watcher watcher in watchers)
        {
            try
            {
                watcher.Tell(versions.GetValueOrDefault(watcher.Topic));
            }
            catch (Exception fault) when (fault is not StoreAwayException && !StoreDialect.IsAbsence(fault))
            {
                Faulted?.Invoke(fault);
            }
        }
    }

    private async Task ListenAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using NpgsqlConnection connection = _connections.OpenListener();
                connection.Notification += (_, _) => Signal();
                await using (NpgsqlCommand command = connection.CreateCommand())
                {
                    command.CommandText = $"LISTEN {Channel}";
                    await command.ExecuteNonQueryAsync(_stop.Token);
                }

                // What was told while nobody listened is not told again: the versions say it.
                Signal();
                while (true)
                    await connection.WaitAsync(_stop.Token);
            }
            catch (Exception fault)
            {
                if (_stop.IsCancellationRequested)
                    return;
                if (!StoreDialect.IsAbsence(fault))
                    Faulted?.Invoke(fault);
                await Task.Delay(TimeSpan.FromSeconds(1), _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private sealed class Watcher(StoreChanges owner, string topic, long known, Action<long> changed) : IDisposable
    {
        private long _known = known;

        public string Topic => topic;

        public void Tell(long version)
        {
            if (version == _known)
                return;
            changed(version);
            _known = version;
        }

        public void Dispose()
        {
            lock (owner._lock)
                owner._watchers.Remove(this);
        }
    }
}
