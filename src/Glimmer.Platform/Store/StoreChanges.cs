using System.Globalization;
using Npgsql;

namespace Glimmer.Platform.Store;

/// <summary>
/// Tells watchers when a topic has a new version (<see cref="StoreSession.NextVersion"/>), whichever process made it:
/// by asking now and then; on PostgreSQL also by NOTIFY, and for changes of this process, at once and without asking: both name the version.
/// </summary>
internal sealed class StoreChanges : IDisposable
{
    /// <summary>PostgreSQL's channel.</summary>
    public const string Channel = "glimmer_store";

    /// <summary>How long the listener waits at a time. Npgsql may lose the word to stop that comes just as it begins to wait (npgsql issue 5975), and then waits that long.</summary>
    private static readonly TimeSpan _listensFor = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan _stopsWithin = TimeSpan.FromSeconds(20);

    private readonly StoreConnections _connections;
    private readonly TimeSpan _every;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Watcher> _watchers = [];
    private readonly StorePresence _presence;

    // The highest version that was named, of each topic; under the lock.
    private readonly Dictionary<string, long> _named = new(StringComparer.Ordinal);
    private bool _mustLook = true;
    private Task? _loop;
    private volatile bool _closing;

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

    /// <summary>What a notification says: the topic and its version; behind them the schema, since a database that holds several stores has one channel for all.</summary>
    public static string Payload(KeyValuePair<string, long> change) => string.Create(CultureInfo.InvariantCulture, $"{change.Key} {change.Value}");

    /// <summary>Tells of versions that were committed.</summary>
    public void Tell(IReadOnlyDictionary<string, long> versions)
    {
        foreach ((string topic, long version) in versions)
            Name(topic, version);
    }

    /// <summary>The store begins to close: what a watcher is at may end with that.</summary>
    public void Close() => _closing = true;

    /// <summary>Looks at once.</summary>
    public void LookNow()
    {
        lock (_lock)
            _mustLook = true;
        Wake();
    }

    /// <summary>Hears a notification. One that is only a topic was sent by an earlier release.</summary>
    /// <param name="payload">What it says.</param>
    /// <param name="schema">The schema of this store.</param>
    private void Hear(string payload, string schema)
    {
        string[] parts = payload.Split(' ', 3);
        if (parts.Length < 3 || !long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out long version))
            LookNow();
        else if (parts[2] == schema)
            Name(parts[0], version);
    }

    private void Name(string topic, long version)
    {
        lock (_lock)
        {
            // What this process commits comes again as a notification.
            if (_named.GetValueOrDefault(topic) >= version)
                return;
            _named[topic] = version;
        }

        Wake();
    }

    private void Wake()
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
            // A database that hangs in the middle of an answer is left to itself.
            if (_loop?.Wait(_stopsWithin) == false)
                return;
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
        long due = 0;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                // However much is named, it is looked now and then: a notification may be lost, and a database that was restored has lower versions.
                if (Environment.TickCount64 >= due || MustLook())
                {
                    due = Environment.TickCount64 + (long)_every.TotalMilliseconds;
                    Look();
                    missed = false;
                }
                else
                {
                    TellNamed();
                }
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

            Task<bool> woken = _wake.WaitAsync(_every, _stop.Token);
            await ((Task)woken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (woken is not { IsCompletedSuccessfully: true, Result: true })
                due = 0;
        }

        await listener.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private bool MustLook()
    {
        lock (_lock)
            return _mustLook;
    }

    private void TellNamed()
    {
        (Watcher Watcher, long Version)[] news;
        lock (_lock)
            news = [.. _watchers.Where(watcher => _named.GetValueOrDefault(watcher.Topic) > watcher.Known).Select(watcher => (watcher, _named[watcher.Topic]))];
        foreach ((Watcher watcher, long version) in news)
            Tell(watcher, version);
    }

    private void Tell(Watcher watcher, long version)
    {
        try
        {
            watcher.Tell(version);
        }
        catch (ObjectDisposedException) when (_closing)
        {
            // It asked the store, which takes nothing more.
        }
        catch (Exception fault) when (fault is not StoreAwayException && !StoreDialect.IsAbsence(fault))
        {
            Faulted?.Invoke(fault);
        }
    }

    private void Look()
    {
        Watcher[] watchers;
        lock (_lock)
        {
            // Before asking: what is committed meanwhile is named anew.
            _mustLook = false;
            _named.Clear();
            watchers = [.. _watchers];
        }

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
            Tell(watcher, versions.GetValueOrDefault(watcher.Topic));
    }

    private async Task ListenAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using NpgsqlConnection connection = _connections.OpenListener();
                await using (NpgsqlCommand command = connection.CreateCommand())
                {
                    command.CommandText = "SELECT current_schema()";
                    string schema = (string)(await command.ExecuteScalarAsync(_stop.Token))!;
                    connection.Notification += (_, said) => Hear(said.Payload, schema);
                    command.CommandText = $"LISTEN {Channel}";
                    await command.ExecuteNonQueryAsync(_stop.Token);
                }

                // What was told while nobody listened is not told again: the versions say it.
                LookNow();
                while (true)
                    await connection.WaitAsync(_listensFor, _stop.Token);
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

        /// <summary>The version that was told last.</summary>
        public long Known => _known;

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
