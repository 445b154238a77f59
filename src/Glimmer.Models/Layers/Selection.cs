namespace Glimmer.Models.Layers;

/// <summary>Positions chosen for each row by an indexer, ascending.</summary>
/// <param name="positions">Chosen positions, <paramref name="stride"/> per row.</param>
/// <param name="counts">Chosen per row, or −1 for all that are visible, in which case nothing need be listed.</param>
/// <param name="stride">Room per row: enough for every visible position of a row that has −1.</param>
internal readonly unsafe struct Selection(int* positions, int* counts, int stride)
{
    /// <summary>Chosen positions, <see cref="Stride"/> per row, ascending.</summary>
    public readonly int* Positions = positions;

    /// <summary>Number chosen per row, or −1 when the row sees all before it; null when nothing is restricted.</summary>
    public readonly int* Counts = counts;

    /// <summary>Room per row.</summary>
    public readonly int Stride = stride;

    /// <summary>The choice of a row.</summary>
    public int* Row(int row) => Positions + (long)row * Stride;

    /// <summary>
    /// Whether any row of a chunk sees less than everything before it. If so, the lists of the other rows are written out,
    /// since a chunk is either restricted or not.
    /// </summary>
    public bool Restricts(ForwardPass pass, int first, int rows)
    {
        if (Counts is null)
            return false;
        bool restricted = false;
        for (int row = first; row < first + rows; row++)
            restricted |= Counts[row] >= 0;
        for (int row = first; restricted && row < first + rows; row++)
        {
            if (Counts[row] >= 0)
                continue;
            int visible = pass.Position(row) + 1;
            for (int i = 0; i < visible; i++)
                Row(row)[i] = i;
            Counts[row] = visible;
        }

        return restricted;
    }
}
