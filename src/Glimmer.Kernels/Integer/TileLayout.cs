using Glimmer.Kernels.Formats;

namespace Glimmer.Kernels.Integer;

/// <summary>Where the bits of a code lie: fields of <paramref name="Bits"/> (1, 2, 4 or 8) that go to bit <paramref name="Position"/> of the code.</summary>
internal readonly record struct CodePlane(int Bits, int Position)
{
    /// <summary>Quads (four columns of sixteen rows) in one vector of 64 bytes.</summary>
    public int QuadsPerVector => 8 / Bits;

    /// <summary>The bits of the code that this plane gives.</summary>
    public byte Mask => (byte)(((1 << Bits) - 1) << Position);

    /// <summary>How far a field moves to its place; above 0 to the left.</summary>
    public int Shift(int quad) => Position - Bits * (quad % QuadsPerVector);
}

/// <summary>How block scales are stored.</summary>
internal enum ScaleKind
{
    /// <summary>A half per row.</summary>
    Half,

    /// <summary>A byte e per row: 2^(e − 127), and 0 for e = 0.</summary>
    Power,
}

/// <summary>
/// How one format lies in groups of sixteen rows: for every block of columns a header, then the codes in an order made for instructions that
/// multiply four bytes per lane and add.
/// </summary>
/// <remarks>
/// <para>
/// A quad is four columns of sixteen rows: 64 bytes, row r in bytes 4r … 4r + 3, as unsigned codes. A vector of 64 bytes holds 8 / b quads in fields of
/// b bits, so data of four bits stays data of four bits, and every quad is one shift and one mask away. Codes of 3, 5 or 6 bits lie in two planes.
/// </para>
/// <para>
/// A weight is d·s·(code − zero) + m·o with a scale s and an offset o per run of 16 or 32 columns (1 in formats with blocks of 32), or d·s·(table[code] − zero).
/// </para>
/// </remarks>
internal sealed class TileLayout
{
    /// <summary>Rows of a group.</summary>
    public const int GroupRows = 16;

    private static readonly Dictionary<BlockFormat, TileLayout> _all = new TileLayout[]
    {
        new(BlockFormat.Q8_0, 32, 32, [new(8, 0)], zeroBits: 7),
        new(BlockFormat.Q4_0, 32, 32, [new(4, 0)], zeroBits: 3),
        new(BlockFormat.Q4_1, 32, 32, [new(4, 0)], hasOffsets: true),
        new(BlockFormat.Q5_0, 32, 32, [new(4, 0), new(1, 4)], zeroBits: 4),
        new(BlockFormat.Q5_1, 32, 32, [new(4, 0), new(1, 4)], hasOffsets: true),
        new(BlockFormat.IQ4_NL, 32, 32, [new(4, 0)], zeroBits: 7, table: Raised(Iq4Levels.Values, 128)),
        new(BlockFormat.MXFP4, 32, 32, [new(4, 0)], zeroBits: 4, table: Raised(Fp4Levels.Values, 16), scale: ScaleKind.Power),
        new(BlockFormat.Q2_K, 256, 16, [new(2, 0)], hasOffsets: true),
        new(BlockFormat.Q3_K, 256, 16, [new(2, 0), new(1, 2)], zeroBits: 2, signedScales: true),
        new(BlockFormat.Q4_K, 256, 32, [new(4, 0)], hasOffsets: true),
        new(BlockFormat.Q5_K, 256, 32, [new(4, 0), new(1, 4)], hasOffsets: true),
        new(BlockFormat.Q6_K, 256, 16, [new(4, 0), new(2, 4)], zeroBits: 5, signedScales: true),
        new(BlockFormat.IQ4_XS, 256, 32, [new(4, 0)], zeroBits: 7, table: Raised(Iq4Levels.Values, 128), signedScales: true),
    }.ToDictionary(layout => layout.Format);

    private TileLayout(BlockFormat format, int blockColumns, int runColumns, CodePlane[] planes, int zeroBits = 0, bool hasOffsets = false, bool signedScales = false, byte[]? table = null, ScaleKind scale = ScaleKind.Half)
    {
        Format = format;
        BlockColumns = blockColumns;
        RunColumns = runColumns;
        Planes = planes;
        ZeroBits = zeroBits;
        HasOffsets = hasOffsets;
        SignedScales = signedScales;
        Table = table;
        Scale = scale;
        LargestCode = table is null ? planes.Sum(plane => plane.Mask) : table.Max();

        int at = scale == ScaleKind.Half ? 32 : 16;
        OffsetAt = at;
        at += hasOffsets ? 32 : 0;
        RunScalesAt = at;
        at += IsSuper ? Runs * GroupRows : 0;
        RunOffsetsAt = at;
        at += IsSuper && hasOffsets ? Runs * GroupRows : 0;
        if (IsSuper)
            at = (at + 63) / 64 * 64; // every code vector of a superblock on one cache line
        PlaneAt = new int[planes.Length];
        for (int p = 0; p < planes.Length; p++)
        {
            PlaneAt[p] = at;
            at += blockColumns / 4 / planes[p].QuadsPerVector * 64;
        }

        BlockBytes = at;
    }

    /// <summary>The format that is rearranged.</summary>
    public BlockFormat Format { get; }

    /// <summary>Columns of a block: 32 or 256.</summary>
    public int BlockColumns { get; }

    /// <summary>Columns with one scale: 16 or 32.</summary>
    public int RunColumns { get; }

    /// <summary>Runs of a block.</summary>
    public int Runs => BlockColumns / RunColumns;

    /// <summary>Quads of a run.</summary>
    public int RunQuads => RunColumns / 4;

    /// <summary>Whether blocks are superblocks of 256, whose activations have one scale for all.</summary>
    public bool IsSuper => BlockColumns == 256;

    /// <summary>Parts of the codes, in the order in which they are stored.</summary>
    public CodePlane[] Planes { get; }

    /// <summary>Logarithm of the code that means zero; 0 when codes have no zero to take off.</summary>
    public int ZeroBits { get; }

    /// <summary>The code that means zero.</summary>
    public int Zero => ZeroBits == 0 ? 0 : 1 << ZeroBits;

    /// <summary>Whether weights have an offset.</summary>
    public bool HasOffsets { get; }

    /// <summary>Whether run scales are signed bytes.</summary>
    public bool SignedScales { get; }

    /// <summary>What codes of four bits stand for, raised to unsigned numbers; null when they stand for themselves.</summary>
    public byte[]? Table { get; }

    /// <summary>How block scales are stored.</summary>
    public ScaleKind Scale { get; }

    /// <summary>The largest number that enters a product.</summary>
    public int LargestCode { get; }

    /// <summary>Bytes of one block of a group.</summary>
    public int BlockBytes { get; }

    /// <summary>Where the sixteen offset factors m (halves) lie; the scales d lie at 0.</summary>
    public int OffsetAt { get; }

    /// <summary>Where the run scales lie, sixteen bytes per run.</summary>
    public int RunScalesAt { get; }

    /// <summary>Where the run offsets lie: sixteen bytes per run, or with runs of 32 two bytes per row for every pair of runs.</summary>
    public int RunOffsetsAt { get; }

    /// <summary>Where each plane lies.</summary>
    public int[] PlaneAt { get; }

    /// <summary>The layout of a format, or null when it cannot be rearranged.</summary>
    public static TileLayout? Find(BlockFormat format) => _all.GetValueOrDefault(format);

    /// <summary>All layouts.</summary>
    public static IEnumerable<TileLayout> All => _all.Values;

    /// <summary>Bytes of a matrix.</summary>
    public long Bytes(int rows, int columns) => (rows + GroupRows - 1L) / GroupRows * (columns / BlockColumns) * BlockBytes;

    private static byte[] Raised(ReadOnlySpan<sbyte> values, int zero)
    {
        byte[] raised = new byte[values.Length];
        for (int i = 0; i < raised.Length; i++)
            raised[i] = (byte)(values[i] + zero);
        return raised;
    }
}
