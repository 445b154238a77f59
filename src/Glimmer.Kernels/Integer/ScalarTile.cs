using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer;

/// <summary>Products of sixteen packed rows with a panel of quantised activations, one number at a time: the twin that all other forms are tested against.</summary>
/// <remarks>
/// <para>The canonical order. Sums of integers are exact, so their order does not matter:</para>
/// <para>
/// Blocks of 32: result = fma(float(Σ (code − zero)·q), d_w·d_x, result) for each block in turn, from 0; then with offsets result = fma(float(−Σ q), m·d_x, result).
/// </para>
/// <para>
/// Blocks of 256: r = 0; for each run in turn r = fma(float(Σ (code − zero)·q), d_w·s, r); with offsets r = fma(float(Σ o·(−Σ q)), m, r); then result = fma(r, d_x, result).
/// </para>
/// </remarks>
internal static unsafe class ScalarTile
{
    /// <summary>Computes 16 results for each row of a panel; row i's from results + 16·i.</summary>
    public static void Run(TileLayout layout, byte* group, byte* panel, int width, int blocks, float* results)
    {
        bool super = layout.IsSuper;
        new Span<float>(results, 16 * width).Clear();
        for (int block = 0; block < blocks; block++, group += layout.BlockBytes, panel += width * QuantisedRows.RecordBytes(super))
        {
            for (int row = 0; row < 16; row++)
            {
                float scale = layout.Scale == ScaleKind.Half ? PartialLanes.FromHalf(((ushort*)group)[row]) : BitConverter.Int32BitsToSingle(group[row] << 23);
                float offset = layout.HasOffsets ? PartialLanes.FromHalf(((ushort*)(group + layout.OffsetAt))[row]) : 0;
                for (int i = 0; i < width; i++)
                {
                    float activation = ((float*)(panel + QuantisedRows.ScaleAt(super) * width))[i];
                    float* result = results + 16 * i + row;
                    *result = super
                        ? MathF.FusedMultiplyAdd(SuperBlock(layout, group, panel, width, i, row, scale, offset), activation, *result)
                        : Block(layout, group, panel, width, i, row, scale * activation, offset * activation, *result);
                }
            }
        }
    }

    /// <summary>The number that enters products for a column of a row: the code, or what it stands for.</summary>
    public static int Code(TileLayout layout, byte* group, int row, int column)
    {
        int code = 0, quad = column / 4;
        for (int p = 0; p < layout.Planes.Length; p++)
        {
            CodePlane plane = layout.Planes[p];
            int stored = group[layout.PlaneAt[p] + quad / plane.QuadsPerVector * 64 + row * 4 + column % 4], shift = plane.Shift(quad);
            code |= (shift >= 0 ? stored << shift : stored >> -shift) & plane.Mask;
        }

        return layout.Table is { } table ? table[code] : code;
    }

    private static float Block(TileLayout layout, byte* group, byte* panel, int width, int i, int row, float scale, float offset, float result)
    {
        result = MathF.FusedMultiplyAdd(Products(layout, group, panel, width, i, row, 0), scale, result);
        return layout.HasOffsets ? MathF.FusedMultiplyAdd(((int*)(panel + 32 * width))[i], offset, result) : result;
    }

    private static float SuperBlock(TileLayout layout, byte* group, byte* panel, int width, int i, int row, float scale, float offset)
    {
        float result = 0;
        int offsets = 0, runs = layout.RunColumns / 16;
        int* sums = (int*)(panel + 256 * width) + i;
        for (int run = 0; run < layout.Runs; run++)
        {
            byte s = group[layout.RunScalesAt + run * 16 + row];
            result = MathF.FusedMultiplyAdd(Products(layout, group, panel, width, i, row, run), scale * (layout.SignedScales ? (sbyte)s : s), result);
            if (!layout.HasOffsets)
                continue;
            for (int k = run * runs; k < (run + 1) * runs; k++)
                offsets += group[layout.RunOffsetsAt + PackedMatrix.OffsetPlace(layout, run, row)] * sums[k * width];
        }

        return layout.HasOffsets ? MathF.FusedMultiplyAdd(offsets, offset, result) : result;
    }

    private static int Products(TileLayout layout, byte* group, byte* panel, int width, int i, int row, int run)
    {
        int sum = 0;
        for (int column = run * layout.RunColumns; column < (run + 1) * layout.RunColumns; column++)
            sum += (Code(layout, group, row, column) - layout.Zero) * ((sbyte*)panel)[(column / 4 * width + i) * 4 + column % 4];
        return sum;
    }
}
