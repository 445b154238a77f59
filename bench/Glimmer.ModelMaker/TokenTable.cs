using Glimmer.Models.Weights;

namespace Glimmer.ModelMaker;

/// <summary>
/// A vocabulary that every text can be encoded with: the bytes, two merges, made-up words up to the wanted size, and the tokens of a conversation at the end.
/// </summary>
internal static class TokenTable
{
    private const int Ordinary = 1;
    private const int Control = 3;
    private static readonly string[] _control = ["<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>", "<|system|>"];

    /// <summary>Tokens at the start that stand for bytes and merges.</summary>
    public const int Bytes = 258;

    /// <summary>Tokens at the end that stand for no text.</summary>
    public static int ControlTokens => _control.Length;

    /// <summary>Adds the keys of the tokenizer.</summary>
    public static void Write(GgufWriter writer, ModelShape shape)
    {
        int words = shape.Vocabulary - Bytes - _control.Length, end = shape.Vocabulary - _control.Length;
        if (words < 0)
            throw new ArgumentException($"A vocabulary of {shape.Vocabulary} is too small; {Bytes + _control.Length} is the least.", nameof(shape));
        int[] types = new int[shape.Vocabulary];
        Array.Fill(types, Ordinary, 0, end);
        Array.Fill(types, Control, end, _control.Length);
        writer.Add("tokenizer.ggml.model", "gpt2");
        writer.Add("tokenizer.ggml.pre", "glm4");
        writer.Add("tokenizer.ggml.tokens", [.. ByteLetters(), "th", "in", .. Enumerable.Range(0, words).Select(i => $"w{i}w"), .. _control]);
        writer.Add("tokenizer.ggml.token_type", types);
        writer.Add("tokenizer.ggml.merges", (string[])["t h", "i n"]);
        writer.Add("tokenizer.ggml.eos_token_id", (uint)end);
        writer.Add("tokenizer.ggml.padding_token_id", (uint)end);
        writer.Add("tokenizer.ggml.bos_token_id", (uint)end);
        writer.Add("tokenizer.ggml.eot_token_id", (uint)(end + Array.IndexOf(_control, "<|user|>")));
        writer.Add("tokenizer.ggml.add_bos_token", false);
    }

    // The printable stand-ins of byte-level BPE, by byte.
    private static IEnumerable<string> ByteLetters()
    {
        int extra = 0;
        for (int b = 0; b < 256; b++)
            yield return (b is (>= 33 and < 127) or (>= 161 and < 173) or >= 174 ? (char)b : (char)(256 + extra++)).ToString();
    }
}
