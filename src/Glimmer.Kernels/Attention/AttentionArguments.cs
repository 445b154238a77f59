using Glimmer.Kernels.Attention;

namespace Glimmer.Kernels;

/// <summary>Sizes of one attention operation.</summary>
/// <param name="QueryHeads">Query heads; a multiple of <paramref name="KvHeads"/>. Query head i reads kv head i·KvHeads/QueryHeads.</param>
/// <param name="KvHeads">Heads of keys and values; 1 for absorbed MLA, where all heads share one latent row.</param>
/// <param name="KeyWidth">Numbers in a query or key of one head (absorbed MLA: latent and rotary part together).</param>
/// <param name="ValueWidth">Numbers in a value of one head (absorbed MLA: the latent part, the first numbers of the key row).</param>
/// <param name="Scale">Factor on every score.</param>
public readonly record struct AttentionShape(int QueryHeads, int KvHeads, int KeyWidth, int ValueWidth, float Scale);

/// <summary>Where one plane of keys or values lies: pages, in a page one head after the other, in a head one row per token.</summary>
/// <param name="origin">Row 0 of head 0 of page 0.</param>
/// <param name="format">How rows are stored.</param>
/// <param name="pageTokens">Rows of a page, at least 1.</param>
/// <param name="pageBytes">Bytes from a page to the next.</param>
/// <param name="headBytes">Bytes from a head to the next in a page.</param>
/// <param name="rowBytes">Bytes from a row to the next of the same head in a page.</param>
public readonly unsafe struct KvRows(void* origin, KvFormat format, int pageTokens, long pageBytes, long headBytes, long rowBytes)
{
    /// <summary>Row 0 of head 0 of page 0.</summary>
    public void* Origin { get; } = origin;

    /// <summary>How rows are stored.</summary>
    public KvFormat Format { get; } = format;

    /// <summary>Rows of a page.</summary>
    public int PageTokens { get; } = pageTokens;

    /// <summary>Bytes from a page to the next.</summary>
    public long PageBytes { get; } = pageBytes;

    /// <summary>Bytes from a head to the next in a page.</summary>
    public long HeadBytes { get; } = headBytes;

    /// <summary>Bytes from a row to the next of the same head in a page.</summary>
    public long RowBytes { get; } = rowBytes;

    /// <summary>The row of a head at a position of a sequence whose pages are <paramref name="pages"/>.</summary>
    public byte* Row(int* pages, int head, int position)
    {
        int page = position / PageTokens;
        return (byte*)Origin + pages[page] * PageBytes + head * HeadBytes + (position - page * PageTokens) * RowBytes;
    }
}

/// <summary>Consecutive query rows of one sequence.</summary>
/// <remarks>The memory behind the pointers must stay valid and in place during the call.</remarks>
public unsafe struct AttentionChunk
{
    /// <summary>Query of row i, head h at Queries + i·QueryStride + h·KeyWidth.</summary>
    public float* Queries { get; set; }

    /// <summary>Floats from one query row to the next.</summary>
    public int QueryStride { get; set; }

    /// <summary>Result of row i, head h at Output + i·OutputStride + h·ValueWidth.</summary>
    public float* Output { get; set; }

    /// <summary>Floats from one row of results to the next.</summary>
    public int OutputStride { get; set; }

    /// <summary>Query rows, at least 0.</summary>
    public int Rows { get; set; }

    /// <summary>Position of the first row: row i sees positions 0 … Position + i.</summary>
    public int Position { get; set; }

    /// <summary>If above 0, every row sees positions 0 … Visible − 1 instead: attention that is not causal, as in encoders.</summary>
    public int Visible { get; set; }

    /// <summary>The sequence's page numbers in order, enough for every position that is seen.</summary>
    public int* Pages { get; set; }

    /// <summary>
    /// Null, or lists of the only positions that rows attend to (sparse attention): row i has SelectedCounts[i] of them, in ascending
    /// order, from Selected + i·SelectedStride. The lists decide alone what is seen, so they must be causal themselves.
    /// </summary>
    public int* Selected { get; set; }

    /// <summary>Integers from one list to the next.</summary>
    public int SelectedStride { get; set; }

    /// <summary>Positions in each list; a row without any gets zeros.</summary>
    public int* SelectedCounts { get; set; }

    /// <summary>Parts of all chunks before this one: bookkeeping of the call.</summary>
    internal int FirstPart { get; set; }

    /// <summary>Spans of keys that a part takes when the keys are cut as well; 0 when a part takes all.</summary>
    internal int SpansPerPart { get; set; }

    /// <summary>How many parts the keys are cut into; 1 when a part takes all.</summary>
    internal int SpanParts { get; set; }

    /// <summary>Results of the spans when keys are cut.</summary>
    internal SpanResults Spans { get; set; }

    /// <summary>Keys that a row sees.</summary>
    internal readonly int Length(int row) =>
        Selected != null ? SelectedCounts[row] : Visible > 0 ? Visible : Position + row + 1;

    /// <summary>Keys that the row with most of them sees.</summary>
    internal readonly int Longest()
    {
        if (Rows == 0 || Selected == null)
            return Rows == 0 ? 0 : Length(Rows - 1);
        int longest = 0;
        for (int row = 0; row < Rows; row++)
            longest = Math.Max(longest, SelectedCounts[row]);
        return longest;
    }
}
