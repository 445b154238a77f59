using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Inference.Routing.Choosing;

/// <summary>
/// Cumulative hashes of a prompt, cut at the ends of messages and every <see cref="BlockLength"/> characters within one. Two prompts that begin
/// alike have the same first hashes, so that the deepest hash which a backend has seen says how much of the prompt its cache can hold. The text
/// is that of messages and tools, not of any engine's tokens, so it holds for every backend. At most <see cref="MostBlocks"/> are made.
/// </summary>
internal readonly struct PromptBlocks
{
    /// <summary>Characters of a block: some 256 tokens.</summary>
    public const int BlockLength = 1024;

    /// <summary>Most blocks of a prompt; what comes after half a million characters does not matter to the choice.</summary>
    public const int MostBlocks = 512;

    private const ulong Start = 0x9E3779B97F4A7C15;
    private readonly ulong[]? _hashes;

    private PromptBlocks(ulong[] hashes, int count, ulong root)
    {
        _hashes = hashes;
        Count = count;
        Root = root;
    }

    /// <summary>Number of hashes.</summary>
    public int Count { get; }

    /// <summary>
    /// What the conversation begins with: tools, system prompt and first message of the user. It stays the same while the conversation grows,
    /// so every node that routes chooses the same backend for it without knowing of the others.
    /// </summary>
    public ulong Root { get; }

    /// <summary>The hashes, shallowest first.</summary>
    public ReadOnlySpan<ulong> Hashes => _hashes.AsSpan(0, Count);

    /// <summary>Reads a conversation. Give the memory back with <see cref="Return"/>.</summary>
    /// <param name="model">Code of the model; caches are not shared between models.</param>
    /// <param name="conversation">Tools and messages.</param>
    public static PromptBlocks Of(string model, Conversation conversation)
    {
        var reader = new Reader(ArrayPool<ulong>.Shared.Rent(MostBlocks));
        foreach (char c in model)
            reader.Mix(char.ToUpperInvariant(c));
        for (int i = 0; i < conversation.Tools.Count; i++)
        {
            ToolDefinition tool = conversation.Tools[i];
            reader.Mix(1);
            reader.Add(tool.Json.ValueKind == System.Text.Json.JsonValueKind.Undefined ? [] : JsonMarshal.GetRawUtf8Value(tool.Json));
        }

        ulong? root = null;
        if (conversation.Tools.Count > 0)
            reader.Cut();
        for (int i = 0; i < conversation.Messages.Count && !reader.IsFull; i++)
        {
            ChatMessage message = conversation.Messages[i];
            reader.Mix(2 + (uint)message.Role);
            if (message.ReasoningContent is { } reasoning)
                reader.Add(reasoning);
            for (int k = 0; k < message.Content.Count; k++)
                Add(ref reader, message.Content[k]);
            for (int k = 0; k < message.ToolCalls.Count; k++)
            {
                reader.Mix(7);
                reader.Add(message.ToolCalls[k].Name);
                reader.Add(message.ToolCalls[k].Arguments);
            }

            reader.Cut();
            if (message.Role == ChatRole.User)
                root ??= reader.Hash;
        }

        return new PromptBlocks(reader.Hashes, reader.Count, root ?? reader.Hash);
    }

    /// <summary>Gives the memory back; the hashes must not be read after.</summary>
    public void Return()
    {
        if (_hashes is not null)
            ArrayPool<ulong>.Shared.Return(_hashes);
    }

    /// <summary>A well mixed number of two.</summary>
    public static ulong Join(ulong left, ulong right)
    {
        ulong high = Math.BigMul(left ^ 0xD6E8FEB86659FD93, right ^ 0xA0761D6478BD642F, out ulong low);
        ulong mixed = high ^ low;
        mixed ^= mixed >> 32;
        mixed *= 0xE7037ED1A0B428DB;
        return mixed ^ (mixed >> 29);
    }

    /// <summary>The same number for the same text in every process.</summary>
    public static ulong OfText(string text)
    {
        ulong hash = Start;
        foreach (char c in text)
            hash = Join(hash, c);
        return hash;
    }

    private static void Add(ref Reader reader, ContentPart part)
    {
        switch (part)
        {
            case TextPart text:
                reader.Mix(8);
                reader.Add(text.Text);
                break;
            case MediaPart media:
                reader.Mix(9);
                reader.Add(media.Source);
                break;
            case ToolReferencePart reference:
                reader.Mix(10);
                reader.Add(reference.Name);
                break;
            case ToolOutputPart output:
                reader.Mix(11);
                reader.Add(output.Output);
                break;
        }
    }

    private ref struct Reader(ulong[] hashes)
    {
        private int _left = BlockLength;

        public ulong[] Hashes { get; } = hashes;

        public int Count { get; private set; }

        public ulong Hash { get; private set; } = Start;

        public readonly bool IsFull => Count == MostBlocks;

        public void Mix(uint value) => Hash = Join(Hash, value + 1UL);

        public void Add(string text)
        {
            ReadOnlySpan<char> rest = text;
            while (!rest.IsEmpty && !IsFull)
            {
                int take = Math.Min(_left, rest.Length);
                Mix(MemoryMarshal.AsBytes(rest[..take]));
                Advance(take);
                rest = rest[take..];
            }
        }

        public void Add(ReadOnlySpan<byte> text)
        {
            while (!text.IsEmpty && !IsFull)
            {
                int take = Math.Min(_left, text.Length);
                Mix(text[..take]);
                Advance(take);
                text = text[take..];
            }
        }

        /// <summary>Ends a block here.</summary>
        public void Cut()
        {
            _left = BlockLength;
            if (!IsFull)
                Hashes[Count++] = Hash;
        }

        private void Advance(int taken)
        {
            _left -= taken;
            if (_left == 0)
                Cut();
        }

        private void Mix(ReadOnlySpan<byte> bytes)
        {
            ulong hash = BitOperations.RotateLeft(Hash, 17);
            ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
            foreach (ulong word in words)
            {
                ulong high = Math.BigMul(hash ^ word, 0x9FB21C651E98DF25, out ulong low);
                hash = BitOperations.RotateLeft(high ^ low, 23) + word;
            }

            ulong tail = (ulong)bytes.Length;
            foreach (byte b in bytes[(words.Length * sizeof(ulong))..])
                tail = (tail << 8) | b;
            Hash = Join(hash, tail);
        }
    }
}
