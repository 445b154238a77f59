using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Inference.Script;

/// <summary>Numbers that look random and follow from a seed and some words alone (SplitMix64 over a digest; Steele, Lea and Flood 2014).</summary>
internal struct SeededChance
{
    private ulong _state;

    /// <summary>Begins a sequence.</summary>
    /// <param name="seed">The scenario's seed.</param>
    /// <param name="words">What the sequence is for; other words, other numbers.</param>
    public SeededChance(ulong seed, params ReadOnlySpan<string> words)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(number, seed);
        hash.AppendData(number);
        foreach (string word in words)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(word);
            BinaryPrimitives.WriteInt64LittleEndian(number, bytes.Length);
            hash.AppendData(number);
            hash.AppendData(bytes);
        }

        _state = BinaryPrimitives.ReadUInt64LittleEndian(hash.GetHashAndReset());
    }

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong mixed = _state;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    /// <summary>The next number from 0 to below 1, with 53 bits.</summary>
    public double NextUnit() => (Next() >> 11) * (1.0 / (1UL << 53));
}
