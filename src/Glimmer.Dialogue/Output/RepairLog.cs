using System.Numerics;

namespace Glimmer.Dialogue.Output;

/// <summary>Which repairs are allowed and how often each was made.</summary>
internal sealed class RepairLog(Repairs allowed)
{
    private int[]? _counts;

    /// <summary>The kinds made.</summary>
    public Repairs Made { get; private set; }

    /// <summary>Whether all these kinds are allowed.</summary>
    public bool Allows(Repairs kinds) => (kinds & ~allowed) == Repairs.None;

    /// <summary>Makes a repair, when it is allowed.</summary>
    public bool Make(Repairs kinds)
    {
        if (!Allows(kinds))
            return false;
        Made |= kinds;
        _counts ??= new int[BitOperations.PopCount((uint)Repairs.All)];
        for (int bit = 0; bit < _counts.Length; bit++)
        {
            if (((int)kinds >> bit & 1) != 0)
                _counts[bit]++;
        }

        return true;
    }

    /// <summary>How often a repair of this kind was made.</summary>
    public int Count(Repairs kind) => _counts is null ? 0 : _counts[BitOperations.Log2((uint)kind)];
}
