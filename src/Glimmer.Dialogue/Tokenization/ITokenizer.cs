namespace Glimmer.Dialogue.Tokenization;

/// <summary>What an id stands for.</summary>
public enum TokenKind
{
    /// <summary>A piece of text: bytes that may be part of a character.</summary>
    Text,

    /// <summary>An added token that is part of the visible output (<c>&lt;think&gt;</c>, <c>&lt;tool_call&gt;</c> …).</summary>
    Added,

    /// <summary>An added token that output never shows (<c>&lt;|user|&gt;</c>, <c>&lt;|endoftext|&gt;</c> …).</summary>
    Special,

    /// <summary>Padding: no meaning, never sampled.</summary>
    Unused,
}

/// <summary>Text to token ids and back. Implementations are immutable and safe to share.</summary>
public interface ITokenizer
{
    /// <summary>One more than the largest id that means something.</summary>
    int VocabularySize { get; }

    /// <summary>
    /// Appends the ids of <paramref name="text"/>. With <paramref name="recogniseAdded"/> false the text is text:
    /// no input can produce an added token. Nothing is prepended. Lone surrogates become U+FFFD.
    /// </summary>
    void Encode(ReadOnlySpan<char> text, bool recogniseAdded, List<int> ids);

    /// <summary>The id of an added token by its exact spelling, e.g. <c>&lt;|assistant|&gt;</c>.</summary>
    bool TryGetAdded(ReadOnlySpan<char> token, out int id);

    /// <summary>What the id stands for; <see cref="TokenKind.Unused"/> for ids outside the vocabulary.</summary>
    TokenKind KindOf(int id);

    /// <summary>The bytes that the id stands for (UTF-8, possibly a part of a character); empty for unused ids. Added tokens give their spelling.</summary>
    ReadOnlySpan<byte> BytesOf(int id);
}
