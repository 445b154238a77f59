
namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>A mask in parts, most of them shared with other masks: whole masks to be joined, and single tokens.</summary>
/// <param name="bases">Masks of the whole vocabulary.</param>
/// <param name="tokens">Runs of single tokens.</param>
/// <param name="ownBytes">Memory of those that are its own.</param>
internal sealed class MaskRecipe(uint[][] bases, ReadOnlyMemory<int>[] tokens, long ownBytes)
{
    /// <summary>Memory that this mask does not share with others, roughly.</summary>
    public long OwnBytes => ownBytes;

    /// <summary>Writes the mask; words past the vocabulary are cleared.</summary>
    public void Fill(Span<uint> mask)
    {
        if (bases.Length == 0)
        {
            mask.Clear();
        }
        else
        {
            bases[0].CopyTo(mask);
            mask[bases[0].Length..].Clear();
            for (int i = 1; i < bases.Length; i++)
                Join(bases[i], mask);
        }

        foreach (ReadOnlyMemory<int> run in tokens)
        {
            foreach (int token in run.Span)
                mask[token >> 5] |= 1u << (token & 31);
        }
    }

    private static void Join(uint[] source, Span<uint> mask)
    {
        for (int i = 0; i < source.Length; i++)
            mask[i] |= source[i];
    }
}
