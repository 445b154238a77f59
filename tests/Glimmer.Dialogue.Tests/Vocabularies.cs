using System.Text;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;

namespace Glimmer.Dialogue.Tests;

/// <summary>Tokenizers for tests.</summary>
internal static class Vocabularies
{
    private static readonly Lazy<Tokenizer> SmallFile = new(() => TokenizerFiles.Open(Fixtures.Path("tokenizer", "tokenizer.json")));

    /// <summary>A real byte-level BPE of 8192 entries with the 36 added tokens of GLM-4.5 and later.</summary>
    public static Tokenizer Small => SmallFile.Value;

    /// <summary>A vocabulary of bytes in which tags are plain text, as in GLM-4-9B and Z1.</summary>
    public static ITokenizer Early { get; } = new Bytes("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>");

    /// <summary>A vocabulary of bytes with the answer tags of GLM-4.1V.</summary>
    public static ITokenizer Vision { get; } = new Bytes(
        "<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<think>", "</think>", "<answer>", "</answer>",
        "<|begin_of_box|>", "<|end_of_box|>", "<|begin_of_image|>", "<|image|>", "<|end_of_image|>");

    private sealed class Bytes(params string[] added) : ITokenizer
    {
        private readonly byte[][] _added = [.. added.Select(Encoding.UTF8.GetBytes)];
        private readonly byte[] _all = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];

        public int VocabularySize => 256 + added.Length;

        public void Encode(ReadOnlySpan<char> text, bool recogniseAdded, List<int> ids)
        {
            while (!text.IsEmpty)
            {
                int token = -1;
                for (int i = 0; recogniseAdded && i < added.Length; i++)
                {
                    if (text.StartsWith(added[i], StringComparison.Ordinal))
                        token = i;
                }

                if (token >= 0)
                {
                    ids.Add(256 + token);
                    text = text[added[token].Length..];
                    continue;
                }

                int length = char.IsHighSurrogate(text[0]) && text.Length > 1 ? 2 : 1;
                foreach (byte value in Encoding.UTF8.GetBytes(text[..length].ToString()))
                    ids.Add(value);
                text = text[length..];
            }
        }

        public bool TryGetAdded(ReadOnlySpan<char> token, out int id)
        {
            id = 256 + Array.IndexOf(added, token.ToString());
            return id >= 256;
        }

        public TokenKind KindOf(int id) => id switch
        {
            < 0 => TokenKind.Unused,
            < 256 => TokenKind.Text,
            _ => id - 256 >= added.Length ? TokenKind.Unused : added[id - 256].StartsWith("<|", StringComparison.Ordinal) && !added[id - 256].Contains("box", StringComparison.Ordinal) ? TokenKind.Special : TokenKind.Added,
        };

        public ReadOnlySpan<byte> BytesOf(int id) => id is >= 0 and < 256 ? _all.AsSpan(id, 1) : KindOf(id) == TokenKind.Unused ? [] : _added[id - 256];
    }
}
