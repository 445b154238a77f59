using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Platform.Accounts.SignIn;

/// <summary>
/// Counts tries by address or e-mail as leaky buckets in a count-min sketch: memory is fixed however many names an
/// attacker invents (crowding can only make it stricter), and its random key keeps him from choosing what collides.
/// </summary>
internal sealed class AttemptLimiter
{
    private const int Rows = 4;
    private const int Columns = 16_384;
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly int _limit;
    private readonly double _perSecond;

    /// <summary>Made when something is counted first: a megabyte that most servers never need.</summary>
    private (float Level, long At)[]? _cells;

    /// <summary>So many tries at once, and so many again per window.</summary>
    public AttemptLimiter(int limit, TimeSpan window, TimeProvider time)
    {
        _limit = limit;
        _perSecond = limit / window.TotalSeconds;
        _time = time;
    }

    /// <summary>Counts a try; gives how long to wait when it is one too many (it does not count then), else null.</summary>
    public TimeSpan? Try(string name)
    {
        lock (_lock)
        {
            Span<int> cells = stackalloc int[Rows];
            Find(name, cells);
            if (Wait(cells) is { } wait)
                return wait;
            Add(cells);
            return null;
        }
    }

    /// <summary>How long to wait before the next try; null when it may come now. Counts nothing.</summary>
    public TimeSpan? Check(string name)
    {
        lock (_lock)
        {
            Span<int> cells = stackalloc int[Rows];
            Find(name, cells);
            return Wait(cells);
        }
    }

    /// <summary>Counts a try that failed.</summary>
    public void Count(string name)
    {
        lock (_lock)
        {
            Span<int> cells = stackalloc int[Rows];
            Find(name, cells);
            Add(cells);
        }
    }

    /// <summary>Takes one counted try back: it was none.</summary>
    public void Forgive(string name)
    {
        lock (_lock)
        {
            if (_cells is null)
                return;
            Span<int> cells = stackalloc int[Rows];
            Find(name, cells);
            foreach (int cell in cells)
                _cells[cell] = (Math.Max(0, Level(cell) - 1), Now);
        }
    }

    /// <summary>The name that an address is counted by: IPv6 by its /64, which is one customer.</summary>
    public static string NameOf(System.Net.IPAddress? address)
    {
        if (address is null)
            return "unknown";
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6
            ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
            : address.ToString();
    }

    private void Find(string name, Span<int> cells)
    {
        Span<byte> hash = stackalloc byte[32];
        HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(name), hash);
        for (int row = 0; row < Rows; row++)
            cells[row] = (row * Columns) + (BitConverter.ToUInt16(hash[(row * 2)..]) & (Columns - 1));
    }

    private float Level(int cell)
    {
        if (_cells is null)
            return 0;
        (float level, long at) = _cells[cell];
        double seconds = (Now - at) / 1000.0;
        return seconds <= 0 ? level : (float)Math.Max(0, level - (seconds * _perSecond));
    }

    private TimeSpan? Wait(ReadOnlySpan<int> cells)
    {
        float least = float.MaxValue;
        foreach (int cell in cells)
            least = Math.Min(least, Level(cell));
        return least + 1 <= _limit + 1e-3f ? null : TimeSpan.FromSeconds(Math.Max(1, Math.Ceiling((least + 1 - _limit) / _perSecond)));
    }

    private void Add(ReadOnlySpan<int> cells)
    {
        // Conservative update: only the cells at the minimum rise, so that names who share a cell with a busy one don't.
        float least = float.MaxValue;
        foreach (int cell in cells)
            least = Math.Min(least, Level(cell));
        float level = Math.Min(least + 1, _limit * 2f);
        _cells ??= new (float, long)[Rows * Columns];
        foreach (int cell in cells)
            _cells[cell] = (Math.Max(Level(cell), level), Now);
    }

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();
}
