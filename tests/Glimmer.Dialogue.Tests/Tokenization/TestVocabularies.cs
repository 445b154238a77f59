using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;

namespace Glimmer.Dialogue.Tests.Tokenization;

/// <summary>Tokenizers that several tests share; they are immutable.</summary>
internal static class TestVocabularies
{
    private static readonly Lazy<Tokenizer> _lazySmall = new(() => TokenizerFiles.Open(Fixtures.Path("tokenizer", "tokenizer.json")));

    private static readonly Lazy<Tokenizer> _lazyLegacy = new(() => TokenizerFiles.OpenRanks(
        Fixtures.Path("tokenizer", "tokenizer.model"), Fixtures.Path("tokenizer", "tokenizer_config.legacy.json")));

    private static readonly Lazy<Tokenizer> _lazyReal = new(() => new Tokenizer(RealData()));

    /// <summary>8192 tokens with listed merges.</summary>
    public static Tokenizer Small => _lazySmall.Value;

    /// <summary>The same tokens as a ranks file.</summary>
    public static Tokenizer Legacy => _lazyLegacy.Value;

    /// <summary>The published vocabulary, without added tokens.</summary>
    public static Tokenizer Real => _lazyReal.Value;

    /// <summary>The data of the published vocabulary.</summary>
    public static TokenizerData RealData()
    {
        string path = Fixtures.Path("tokenizer", "real-glm4", "tokenizer.model");
        return TokenizerRanksFile.Read(File.ReadAllBytes(path), path, []);
    }
}
