using Glimmer.Kernels.Formats;
using Glimmer.Kernels.Integer;

namespace Glimmer.Kernels;

/// <summary>
/// A weight matrix in its stored form, shape (rows = outputs, columns = inputs), row-major: the weights of one
/// output lie together. The bytes usually lie in a mapped file, which <see cref="Owner"/> keeps alive.
/// </summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
public sealed unsafe class WeightMatrix
{
    private PackedMatrix? _packed;
    private LaterPacked? _later;
    private int _firstPackedRow;

    /// <summary>Wraps <paramref name="data"/>, which must hold <paramref name="rows"/> rows of whole blocks.</summary>
    /// <param name="format">How the numbers are stored.</param>
    /// <param name="rows">Outputs, at least 1.</param>
    /// <param name="columns">Inputs; a multiple of the format's block length.</param>
    /// <param name="data">First byte of row 0.</param>
    /// <param name="owner">Whatever must stay reachable while the bytes are in use.</param>
    /// <exception cref="ArgumentException">A dimension is not positive or does not fill whole blocks.</exception>
    public WeightMatrix(BlockFormat format, int rows, int columns, byte* data, object owner)
    {
        BlockCodec codec = BlockCodecs.For(format);
        if (rows <= 0 || columns <= 0 || columns % codec.BlockLength != 0)
            throw new ArgumentException($"A {format} matrix of {rows} x {columns} does not consist of whole blocks of {codec.BlockLength}.", nameof(columns));
        Format = format;
        Rows = rows;
        Columns = columns;
        Data = data;
        Owner = owner;
        RowBytes = codec.BytesFor(columns);
    }

    /// <summary>Wraps weights that compute their rows when they are read.</summary>
    /// <exception cref="ArgumentException">It has no rows or no columns.</exception>
    public WeightMatrix(RowSource source)
        : this(source, 0, source.Rows)
    {
    }

    private WeightMatrix(RowSource source, int first, int rows)
        : this(BlockFormat.F32, rows, source.Columns, null, source)
    {
        Source = source;
        FirstRow = first;
        RowBytes = source.Bytes / source.Rows;
    }

    /// <summary>How the numbers are stored; F32 when rows are computed (<see cref="IsComputed"/>).</summary>
    public BlockFormat Format { get; }

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Inputs.</summary>
    public int Columns { get; }

    /// <summary>Bytes from one row to the next.</summary>
    public long RowBytes { get; }

    /// <summary>Whether rows are computed when they are read, and there are no bytes to point to.</summary>
    public bool IsComputed => Source is not null;

    /// <summary>What computes the rows, or null.</summary>
    internal RowSource? Source { get; }

    /// <summary>Row of <see cref="Source"/> that is row 0 here.</summary>
    internal int FirstRow { get; }

    /// <summary>First byte of row 0; null when rows are computed.</summary>
    public byte* Data { get; }

    /// <summary>Keeps the bytes alive.</summary>
    public object Owner { get; }

    /// <summary>Bytes of the whole matrix.</summary>
    public long Bytes => RowBytes * Rows;

    /// <summary>Whether <see cref="Pack"/> can be called: the formats with blocks of 32 or 256 whose codes have at most 8 bits and one scale per block or run.</summary>
    public bool CanPack => TileLayout.Find(Format) is not null;

    /// <summary>Bytes of the rearranged copy; 0 for formats that cannot be packed.</summary>
    public long PackedBytes => TileLayout.Find(Format)?.Bytes(Rows, Columns) ?? 0;

    /// <summary>Whether a rearranged copy for <see cref="ActivationMode.Int8"/> exists.</summary>
    public bool IsPacked => _packed is not null || _later is not null;

    /// <summary>The rearranged copy, made now if it is one for later; null when there is none.</summary>
    internal PackedMatrix? Packed
    {
        get => _packed ??= _later?.Get().RowRange(_firstPackedRow, Rows); // whoever sets it sets the same view
        private init => _packed = value;
    }

    /// <summary>How the rearranged copy lies, without making it.</summary>
    internal TileLayout PackedLayout => _packed?.Layout ?? TileLayout.Find(Format)!;

    /// <summary>
    /// The same matrix with a copy beside it, rearranged for <see cref="ActivationMode.Int8"/>, at most 4 % larger than the original. Exact products and
    /// <see cref="ReadRow"/> still read the original bytes.
    /// </summary>
    /// <exception cref="NotSupportedException">The format cannot be packed (<see cref="CanPack"/>).</exception>
    public WeightMatrix Pack() => IsPacked ? this : new WeightMatrix(Format, Rows, Columns, Data, Owner) { Packed = PackedMatrix.Pack(this) };

    /// <summary>
    /// The same matrix with a copy as by <see cref="Pack"/>, which is made when it is first needed, by <see cref="MakePacked"/> or by a product. Views of rows share it.
    /// </summary>
    /// <param name="made">Called once after it was made; null for nothing.</param>
    /// <exception cref="NotSupportedException">The format cannot be packed.</exception>
    public WeightMatrix PackLater(Action? made = null)
    {
        if (IsPacked)
            return this;
        if (!CanPack)
            return Pack(); // says why not
        return new WeightMatrix(Format, Rows, Columns, Data, Owner) { _later = new LaterPacked(this, made) };
    }

    /// <summary>Makes the copy that <see cref="PackLater"/> promised, unless it is there; other threads that need it wait.</summary>
    public void MakePacked() => _ = Packed;

    /// <summary>Changes when the form of packed bytes does, so that kept ones are told apart.</summary>
    public static int PackedLayoutVersion => PackedMatrix.LayoutVersion;

    /// <summary>First byte of the rearranged copy, <see cref="PackedBytes"/> long; null without one.</summary>
    public byte* PackedData => Packed is null ? null : Packed.Group(0);

    /// <summary>The same matrix with a rearranged copy that was kept: <see cref="PackedBytes"/> bytes that <see cref="PackedData"/> gave, by a matrix with the same content.</summary>
    /// <param name="packed">First byte, at a multiple of 64.</param>
    /// <param name="owner">Whatever must stay reachable while the bytes are in use.</param>
    /// <exception cref="NotSupportedException">The format cannot be packed.</exception>
    public WeightMatrix WithPacked(byte* packed, object owner) => new(Format, Rows, Columns, Data, Owner) { Packed = PackedMatrix.Wrap(this, packed, owner) };

    /// <summary>A packed matrix without its stored form, whose memory may then go: it can only be multiplied, with <see cref="ActivationMode.Int8"/>.</summary>
    /// <exception cref="InvalidOperationException">The matrix is not packed.</exception>
    public WeightMatrix PackedOnly() => Packed is null
        ? throw new InvalidOperationException("A matrix that is not packed has nothing but its stored form.")
        : new WeightMatrix(Format, Rows, Columns, null, Packed.Owner) { Packed = Packed };

    /// <summary>Copies floats into memory of its own and wraps them.</summary>
    public static WeightMatrix FromFloats(int rows, int columns, ReadOnlySpan<float> values)
    {
        if (values.Length != (long)rows * columns)
            throw new ArgumentException($"{values.Length} values do not fill a matrix of {rows} x {columns}.", nameof(values));
        float[] copy = GC.AllocateUninitializedArray<float>(values.Length, pinned: true);
        values.CopyTo(copy);
        return new WeightMatrix(BlockFormat.F32, rows, columns, (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref copy[0]), copy);
    }

    /// <summary>Dequantises one row into <paramref name="values"/> (length <see cref="Columns"/>).</summary>
    public void ReadRow(int row, Span<float> values)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows);
        if (Source is not null)
        {
            Source.Read(FirstRow + row, values[..Columns]);
            return;
        }

        if (Data == null)
            throw new InvalidOperationException("The stored form of this matrix was given up (PackedOnly).");

        BlockCodecs.For(Format).Dequantise(new ReadOnlySpan<byte>(Data + row * RowBytes, checked((int)RowBytes)), values[..Columns]);
        GC.KeepAlive(Owner);
    }

    /// <summary>A view of <paramref name="count"/> rows from <paramref name="start"/>: one expert of a stack, or gate or up of a fused matrix.</summary>
    /// <remarks>A view stays packed when it begins at a multiple of 16 rows; otherwise pack the view.</remarks>
    public WeightMatrix RowRange(int start, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)start + count, Rows);
        if (Source is not null)
            return new WeightMatrix(Source, FirstRow + start, count);
        bool later = _packed is null && _later is not null && start % TileLayout.GroupRows == 0;
        return new WeightMatrix(Format, count, Columns, Data == null ? null : Data + start * RowBytes, Owner)
        {
            _later = later ? _later : null,
            _firstPackedRow = later ? _firstPackedRow + start : 0,
            Packed = _packed?.RowRange(start, count),
        };
    }
}
