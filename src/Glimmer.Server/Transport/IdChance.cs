using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Server.Transport;

/// <summary>
/// Where ids of requests, calls and answers get their chance from: the system's, or, for a server with a seed, a sequence of the request's own. That follows
/// from the seed, the method, the path and how many requests of these came before, so that requests to one endpoint do not disturb those to another.
/// </summary>
internal sealed class IdChance(ulong? seed)
{
    private const int MostPaths = 10_000;
    private static readonly AsyncLocal<Sequence?> _current = new();
    private readonly ConcurrentDictionary<string, Counter> _counts = new(StringComparer.Ordinal);

    /// <summary>64 bits by chance, or the next ones of the request being answered.</summary>
    public static ulong Next()
    {
        if (_current.Value is { } sequence)
            return sequence.Next();
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>Begins the sequence of a request, for everything that its handling calls. Does nothing without a seed.</summary>
    public void Begin(string method, string path)
    {
        if (seed is not { } number)
            return;
        if (_counts.Count > MostPaths)
            _counts.Clear();
        string place = $"{method} {path}";
        long count = _counts.GetOrAdd(place, static _ => new Counter()).Next();
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{number} {count} {place}")));
        _current.Value = new Sequence(BinaryPrimitives.ReadUInt64LittleEndian(hash));
    }

    /// <summary>Begins all counts again.</summary>
    public void Reset() => _counts.Clear();

    private sealed class Counter
    {
        private long _count;

        public long Next() => Interlocked.Increment(ref _count);
    }

    /// <summary>SplitMix64 (Steele, Lea and Flood 2014).</summary>
    private sealed class Sequence(ulong state)
    {
        private const ulong Step = 0x9E3779B97F4A7C15;
        private ulong _state = state;

        public ulong Next()
        {
            ulong mixed = Interlocked.Add(ref _state, Step);
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            return mixed ^ (mixed >> 31);
        }
    }
}
