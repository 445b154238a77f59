namespace Glimmer.Platform.Store;

/// <summary>
/// Whether the database answers. It counts as away when two tries in a row found nobody, reading or writing, and as back when both
/// work again. A SQLite file is never away: what keeps it from being written is told by <see cref="PlatformStore.Trouble"/>.
/// </summary>
public sealed class StorePresence
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly bool _canBeAway;
    private bool _readFails;
    private bool _writeFails;
    private long _since;
    private volatile bool _away;

    internal StorePresence(StoreSettings settings)
    {
        _time = settings.Time;
        _canBeAway = settings.Kind == StoreKind.Postgres;
    }

    /// <summary>Whether the database is away now.</summary>
    public bool IsAway => _away;

    /// <summary>Since when it is away; null while it answers.</summary>
    public DateTimeOffset? Since => _away ? DateTimeOffset.FromUnixTimeMilliseconds(Interlocked.Read(ref _since)) : null;

    /// <summary>How long it has been away; zero while it answers.</summary>
    public TimeSpan Duration => Since is { } since ? _time.GetUtcNow() - since : TimeSpan.Zero;

    /// <summary>Called when the database goes away, with the reason, and when it is back, with null and how long it was away. On any thread.</summary>
    public Action<Exception?, TimeSpan>? Changed { get; set; }

    internal void Failed(Exception fault, bool writing)
    {
        if (!_canBeAway)
            return;
        lock (_gate)
        {
            if (writing)
                _writeFails = true;
            else
                _readFails = true;
            if (_away)
                return;
            Interlocked.Exchange(ref _since, _time.GetUtcNow().ToUnixTimeMilliseconds());
            _away = true;
        }

        Changed?.Invoke(fault, TimeSpan.Zero);
    }

    internal void Answered(bool writing)
    {
        if (!_away)
            return;
        TimeSpan gone;
        lock (_gate)
        {
            if (writing)
                _writeFails = false;
            else
                _readFails = false;
            if (!_away || _readFails || _writeFails)
                return;
            gone = Duration;
            _away = false;
        }

        Changed?.Invoke(null, gone);
    }
}

/// <summary>What is done with new requests while the database is away.</summary>
public enum StoreAwayPolicy
{
    /// <summary>They are let in on what is known, up to a bound of time and of money, and kept in the node's journal.</summary>
    Admit,

    /// <summary>They are refused until it is back.</summary>
    Refuse,
}

/// <summary>Something that needs the database was asked while it is away. Nothing was done; it may be asked again later.</summary>
public sealed class StoreAwayException : Exception
{
    /// <summary>With what the database said last.</summary>
    public StoreAwayException(Exception? inner = null)
        : base("The database is away; nothing was done.", inner)
    {
    }
}
