namespace Glimmer.Platform.Nodes;

/// <summary>How large slices are.</summary>
internal static class SliceSizes
{
    /// <summary>Looks after which units that were idle at all of them are given back.</summary>
    public const int LooksBeforeReturn = 3;

    /// <summary>Looks after which an idle limit is given back whole.</summary>
    public const int LooksBeforeAll = 10;

    /// <summary>Units to have spare: a quarter of what is in use, some takes at least, and never much of a limit.</summary>
    public static long Headroom(Slice slice)
    {
        long used = Math.Max(0, slice.Holding - Math.Max(0, slice.Spare));
        long piece = slice.Piece;
        long most = Math.Max(piece, slice.Limit / 8);
        return slice.Terms.Kind switch
        {
            SliceKind.Funds or SliceKind.Cap => piece * 4,
            SliceKind.Period or SliceKind.Window or SliceKind.Rate => Math.Clamp(piece * 2 * slice.Boost, piece, most),
            _ => Math.Clamp(Math.Max(used / 4, piece * slice.Boost), piece, most),
        };
    }
}
