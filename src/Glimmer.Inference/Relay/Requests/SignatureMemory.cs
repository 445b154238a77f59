using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Inference.Relay.Requests;

/// <summary>A block of thinking that a service has signed.</summary>
/// <param name="Length">Characters of the reasoning that it holds; 0 for a redacted one.</param>
/// <param name="Seal">Its signature, or the data of a redacted one.</param>
/// <param name="IsRedacted">Whether it is redacted.</param>
internal readonly record struct SignedBlock(int Length, string Seal, bool IsRedacted);

/// <summary>
/// Signatures of thinking that a service made, by the text that they sign. Dialects of other services carry no signatures, and the service refuses thinking
/// without them: who sends the reasoning back unchanged gets its signature back from here. Bounded in count and bytes; the oldest goes first.
/// </summary>
internal sealed class SignatureMemory
{
    private const int MaxEntries = 8192;
    private const int MaxCharacters = 8 << 20;
    private readonly Lock _gate = new();
    private readonly Dictionary<Key, SignedBlock[]> _blocks = [];
    private readonly Queue<Key> _order = new();
    private int _characters;

    /// <summary>Keeps the blocks of an answer's reasoning.</summary>
    /// <param name="reasoning">All of it.</param>
    /// <param name="blocks">Blocks whose lengths make up that of the reasoning.</param>
    public void Keep(string reasoning, SignedBlock[] blocks)
    {
        int size = SizeOf(blocks);
        if (reasoning.Length == 0 || size > MaxCharacters / 16)
            return;
        Key key = KeyOf(reasoning);
        lock (_gate)
        {
            if (!_blocks.TryAdd(key, blocks))
                return;
            _order.Enqueue(key);
            _characters += size;
            while (_order.Count > MaxEntries || _characters > MaxCharacters)
            {
                _blocks.Remove(_order.Dequeue(), out SignedBlock[]? oldest);
                _characters -= SizeOf(oldest!);
            }
        }
    }

    /// <summary>The blocks of a reasoning; null when they are not known.</summary>
    public SignedBlock[]? Find(string? reasoning)
    {
        if (string.IsNullOrEmpty(reasoning))
            return null;
        Key key = KeyOf(reasoning);
        lock (_gate)
            return _blocks.GetValueOrDefault(key);
    }

    private static int SizeOf(SignedBlock[] blocks) => blocks.Sum(static block => block.Seal.Length);

    private static Key KeyOf(string reasoning)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(reasoning), digest);
        return new Key(BitConverter.ToUInt64(digest), BitConverter.ToUInt64(digest[8..]), BitConverter.ToUInt64(digest[16..]), BitConverter.ToUInt64(digest[24..]));
    }

    private readonly record struct Key(ulong A, ulong B, ulong C, ulong D);
}
