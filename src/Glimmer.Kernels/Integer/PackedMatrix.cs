using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels.Formats;

namespace Glimmer.Kernels.Integer;

/// <summary>A matrix rearranged by its format's <see cref="TileLayout"/>: groups of sixteen rows, in each the blocks in turn. Rows past the end are zero.</summary>
internal sealed unsafe class PackedMatrix
{
    /// <summary>To be raised with every change of <see cref="TileLayout"/>.</summary>
    public const int LayoutVersion = 1;

    private readonly object _owner;
    private readonly byte* _data;

    private PackedMatrix(TileLayout layout, object owner, byte* data, int rows, int blocks)
    {
        Layout = layout;
        _owner = owner;
        _data = data;
        Rows = rows;
        Blocks = blocks;
    }

    /// <summary>How a group lies.</summary>
    public TileLayout Layout { get; }

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Blocks of a row.</summary>
    public int Blocks { get; }

    /// <summary>Keeps the bytes alive.</summary>
    public object Owner => _owner;

    /// <summary>Copies a matrix into packed form.</summary>
    /// <exception cref="NotSupportedException">The format cannot be rearranged.</exception>
    public static PackedMatrix Pack(WeightMatrix weights)
    {
        TileLayout layout = LayoutOf(weights);
        int groups = (weights.Rows + TileLayout.GroupRows - 1) / TileLayout.GroupRows;
        byte* memory = PackedMemory.Take(layout.Bytes(weights.Rows, weights.Columns), out NativeBlock owner);
        var packed = new PackedMatrix(layout, owner, memory, weights.Rows, weights.Columns / layout.BlockColumns);
        if (groups * (long)weights.Columns < 1 << 16)
        {
            for (int group = 0; group < groups; group++)
                packed.PackGroup(weights, group);
        }
        else
        {
            Parallel.For(0, groups, group => packed.PackGroup(weights, group));
        }

        GC.KeepAlive(weights.Owner);
        return packed;
    }

    /// <summary>Wraps bytes that were packed before.</summary>
    public static PackedMatrix Wrap(WeightMatrix weights, byte* data, object owner)
    {
        TileLayout layout = LayoutOf(weights);
        return new PackedMatrix(layout, owner, data, weights.Rows, weights.Columns / layout.BlockColumns);
    }

    /// <summary>First byte of a group of rows.</summary>
    public byte* Group(int group) => _data + (long)group * Blocks * Layout.BlockBytes;

    /// <summary>A view of some rows, or null when they do not begin with a group.</summary>
    public PackedMatrix? RowRange(int start, int count) =>
        start % TileLayout.GroupRows == 0 ? new PackedMatrix(Layout, _owner, Group(start / TileLayout.GroupRows), count, Blocks) : null;

    private static TileLayout LayoutOf(WeightMatrix weights) => TileLayout.Find(weights.Format) ?? throw new NotSupportedException(
        $"Weights in format {weights.Format} cannot be packed for integer products; possible are {string.Join(", ", TileLayout.All.Select(l => l.Format))}.");

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PackGroup(WeightMatrix weights, int group)
    {
        const int Group = TileLayout.GroupRows;
        TileLayout layout = Layout;
        int columns = layout.BlockColumns, first = group * Group, rows = Math.Min(Group, weights.Rows - first);
        long sourceBytes = BlockCodecs.For(weights.Format).BytesPerBlock;
        uint* quads = stackalloc uint[64 * Group];
        byte* codes = stackalloc byte[256];
        BlockParts parts = default;
        if (rows < Group)
            new Span<uint>(quads, 64 * Group).Clear();
        byte* target = this.Group(group);
        for (int block = 0; block < Blocks; block++, target += layout.BlockBytes)
        {
            new Span<byte>(target, layout.PlaneAt[0]).Clear();
            for (int row = 0; row < rows; row++)
            {
                parts.Read(layout, weights.Data + (first + row) * weights.RowBytes + block * sourceBytes, codes);
                for (int quad = 0; quad < columns / 4; quad++)
                    quads[quad * Group + row] = ((uint*)codes)[quad];
                PutHeader(layout, ref parts, target, row);
            }

            for (int p = 0; p < layout.Planes.Length; p++)
                PutPlane(layout.Planes[p], (byte*)quads, columns / 4, target + layout.PlaneAt[p]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutHeader(TileLayout layout, ref BlockParts parts, byte* target, int row)
    {
        if (layout.Scale == ScaleKind.Half)
            ((ushort*)target)[row] = parts.Scale;
        else
            target[row] = (byte)parts.Scale;
        if (layout.HasOffsets)
            ((ushort*)(target + layout.OffsetAt))[row] = parts.Offset;
        if (!layout.IsSuper)
            return;
        int runs = layout.Runs;
        byte* scales = target + layout.RunScalesAt + row, offsets = target + layout.RunOffsetsAt;
        for (int run = 0; run < runs; run++)
        {
            scales[run * 16] = parts.Scales[run];
            if (layout.HasOffsets)
                offsets[OffsetPlace(layout, run, row)] = parts.Offsets[run];
        }
    }

    /// <summary>Where a run's offset lies: runs of 32 in pairs, so that two enter one instruction.</summary>
    public static int OffsetPlace(TileLayout layout, int run, int row) => layout.RunColumns == 32 ? run / 2 * 32 + row * 2 + run % 2 : run * 16 + row;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutPlane(CodePlane plane, byte* quads, int count, byte* target)
    {
        int fields = plane.QuadsPerVector, bits = plane.Bits, position = plane.Position;
        Vector256<ushort> mask = Vector256.Create(plane.Mask).AsUInt16();
        for (int quad = 0; quad < count; quad += fields, target += 64)
        {
            for (int i = 0; i < 64; i += 32)
            {
                byte* source = quads + quad * 64 + i;
                Vector256<ushort> vector = Vector256<ushort>.Zero;
                for (int field = 0; field < fields; field++, source += 64)
                {
                    Vector256<ushort> code = Vector256.Load(source).AsUInt16() & mask;
                    int shift = bits * field - position;
                    vector |= shift >= 0 ? code << shift : code >>> -shift;
                }

                vector.AsByte().Store(target + i);
            }
        }
    }
}
