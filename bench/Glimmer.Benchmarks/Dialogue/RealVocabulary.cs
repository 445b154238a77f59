using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;

namespace Glimmer.Benchmarks.Dialogue;

/// <summary>The published vocabulary of GLM-4.5 with its added tokens: 151 thousand entries, as users have it.</summary>
internal static class RealVocabulary
{
    private static readonly Lazy<Tokenizer> _tokenizer = new(Open);

    public static Tokenizer Tokenizer => _tokenizer.Value;

    // The ranks file lacks the added tokens; those of the small fixture are the same and stand in the same order.
    private static Tokenizer Open()
    {
        string path = Fixtures.Path("tokenizer", "real-glm4", "tokenizer.model");
        byte[] ranks = File.ReadAllBytes(path);
        int next = TokenizerRanksFile.Read(ranks, path, []).Tokens.Count;
        AddedToken[] added = [.. TokenizerFiles.Open(Fixtures.Path("tokenizer", "tokenizer.json")).AddedTokens.Select((token, i) => token with { Id = next + i })];
        return new Tokenizer(TokenizerRanksFile.Read(ranks, path, added));
    }
}
