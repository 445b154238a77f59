using Glimmer.Kernels;

namespace Glimmer.Models.Layers;

/// <summary>Attention of a layer over its planes of the cache.</summary>
/// <param name="shape">Heads and widths.</param>
/// <param name="keyPlane">Plane of the keys.</param>
/// <param name="valuePlane">Plane of the values; latent attention reads them from the start of its keys.</param>
/// <param name="sparse">Whether only the positions of the pass's selection are seen.</param>
internal sealed unsafe class CachedAttention(AttentionShape shape, int keyPlane, int valuePlane, bool sparse)
{
    /// <summary>Heads and widths.</summary>
    public AttentionShape Shape => shape;

    /// <summary>Plane of the keys.</summary>
    public int KeyPlane => keyPlane;

    /// <summary>Plane of the values.</summary>
    public int ValuePlane => valuePlane;

    /// <summary>Runs all heads of all rows: queries of shape (rows, heads · key width) to output of shape (rows, heads · value width).</summary>
    public void Run(ForwardPass pass, Rows queries, Rows output)
    {
        AttentionChunk[] chunks = pass.AttentionChunks;
        for (int c = 0; c < pass.ChunkCount; c++)
        {
            int first = pass.FirstRow(c), rows = pass.FirstRow(c + 1) - first;
            Selection selection = sparse ? pass.Selection : default;
            bool restricted = selection.Restricts(pass, first, rows);
            chunks[c] = new AttentionChunk
            {
                Queries = queries.Row(first),
                QueryStride = queries.Width,
                Output = output.Row(first),
                OutputStride = output.Width,
                Rows = rows,
                Position = pass.Position(first),
                Pages = pass.Pages(first),
                Selected = restricted ? selection.Positions + (long)first * selection.Stride : null,
                SelectedStride = selection.Stride,
                SelectedCounts = restricted ? selection.Counts + first : null,
            };
        }

        PagedAttention.Run(pass.Team, shape, pass.Arena.Rows(keyPlane), pass.Arena.Rows(valuePlane), chunks, pass.ChunkCount);
    }
}
