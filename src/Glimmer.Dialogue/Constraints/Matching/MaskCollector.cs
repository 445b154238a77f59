namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>What one rule's threads allow, whatever called the rule.</summary>
/// <param name="Bases">Masks.</param>
/// <param name="Runs">Runs of tokens.</param>
/// <param name="Tails">What is left of other tokens where the rule may end; null when there are too many.</param>
/// <param name="TailTokens">The token of each tail.</param>
internal sealed record MaskPart(uint[][] Bases, ReadOnlyMemory<int>[] Runs, TokenTrie? Tails, int[] TailTokens)
{
    /// <summary>Memory, roughly; the masks counted may be shared.</summary>
    public long OwnBytes { get; } = MaskCollector.StateBytes + Runs.Sum(r => 4L * r.Length) + (Tails is null ? 0 : 16L * Tails.Count) + (8L * TailTokens.Length);
}

/// <summary>Collects the parts of a mask.</summary>
internal sealed class MaskCollector
{
    /// <summary>What a state takes besides its mask, with the states that were walked through to find it.</summary>
    public const long StateBytes = 2_000;

    private long _ownBytes = StateBytes;

    public List<uint[]> Bases { get; } = [];

    public List<ReadOnlyMemory<int>> Runs { get; } = [];

    public List<int> Tokens { get; } = [];

    /// <summary>Makes a run of the single tokens, or a mask when they are so many that it takes less room.</summary>
    public void Seal(int maskWords)
    {
        if (Tokens.Count > maskWords)
        {
            uint[] mask = new uint[maskWords];
            foreach (int token in Tokens)
                mask[token >> 5] |= 1u << (token & 31);
            Bases.Add(mask);
            _ownBytes += 4L * maskWords;
        }
        else if (Tokens.Count > 0)
        {
            Runs.Add(Tokens.ToArray());
            _ownBytes += 4L * Tokens.Count;
        }

        Tokens.Clear();
    }

    public MaskRecipe ToRecipe(int maskWords)
    {
        Seal(maskWords);
        return new([.. Bases.Distinct()], [.. Runs], _ownBytes);
    }
}
