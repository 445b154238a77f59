using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer;

/// <summary>The tile for machines without emitted code: codes of a run are unpacked once for all rows of the panel, then multiplied by <typeparamref name="TDots"/>.</summary>
internal static unsafe class VectorTile<TDots>
    where TDots : struct, IByteDots
{
    /// <summary>As <see cref="ScalarTile.Run"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(TileLayout layout, byte* group, byte* panel, int width, int blocks, float* results)
    {
        bool super = layout.IsSuper;
        float* scales = stackalloc float[48], partial = stackalloc float[16 * QuantisedRows.PanelRows];
        byte* codes = stackalloc byte[8 * 64];
        float* blockScales = scales + 16, offsets = scales + 32;
        int sumsAt = QuantisedRows.SumsAt(super) * width, scaleAt = QuantisedRows.ScaleAt(super) * width, sumsPerRun = super ? layout.RunColumns / 16 : 1, zeroBits = layout.ZeroBits;
        new Span<float>(results, 16 * width).Clear();
        for (int block = 0; block < blocks; block++, group += layout.BlockBytes, panel += width * QuantisedRows.RecordBytes(super))
        {
            float* activation = (float*)(panel + scaleAt), target = super ? partial : results;
            int* sums = (int*)(panel + sumsAt);
            BlockScales(layout, group, blockScales, offsets);
            if (super)
                new Span<float>(partial, 16 * width).Clear();
            for (int run = 0; run < layout.Runs; run++)
            {
                if (super)
                    RunScales(layout, group, run, blockScales, scales);
                Unpack(layout, group, run, codes);
                for (int i = 0; i < width; i++)
                {
                    int start = 0;
                    for (int s = 0; s < sumsPerRun && zeroBits != 0; s++)
                        start += sums[(run * sumsPerRun + s) * width + i] << zeroBits;
                    TDots.Accumulate(codes, layout.RunQuads, (int*)panel + run * layout.RunQuads * width + i, width, start, layout.LargestCode, super ? scales : blockScales, super ? 1 : activation[i], target + 16 * i);
                }
            }

            for (int i = 0; i < width; i++)
            {
                if (layout.HasOffsets)
                    AddOffsets(layout, group, sums + i, width, offsets, super ? 1 : activation[i], target + 16 * i);
                if (super)
                    Finish(partial + 16 * i, activation[i], results + 16 * i);
            }
        }
    }

    private static void BlockScales(TileLayout layout, byte* group, float* scales, float* offsets)
    {
        for (int row = 0; row < 16; row++)
        {
            scales[row] = layout.Scale == ScaleKind.Half ? PartialLanes.FromHalf(((ushort*)group)[row]) : BitConverter.Int32BitsToSingle(group[row] << 23);
            if (layout.HasOffsets)
                offsets[row] = PartialLanes.FromHalf(((ushort*)(group + layout.OffsetAt))[row]);
        }
    }

    private static void RunScales(TileLayout layout, byte* group, int run, float* blockScales, float* scales)
    {
        byte* s = group + layout.RunScalesAt + run * 16;
        for (int row = 0; row < 16; row++)
            scales[row] = blockScales[row] * (layout.SignedScales ? (sbyte)s[row] : s[row]);
    }

    private static void Unpack(TileLayout layout, byte* group, int run, byte* codes)
    {
        for (int quad = 0; quad < layout.RunQuads; quad++, codes += 64)
        {
            for (int p = 0; p < layout.Planes.Length; p++)
            {
                CodePlane plane = layout.Planes[p];
                int number = run * layout.RunQuads + quad, shift = plane.Shift(number);
                byte* source = group + layout.PlaneAt[p] + number / plane.QuadsPerVector * 64;
                Vector256<ushort> mask = Vector256.Create(plane.Mask).AsUInt16();
                for (int i = 0; i < 64; i += 32)
                {
                    Vector256<ushort> stored = Vector256.Load(source + i).AsUInt16();
                    stored = (shift >= 0 ? stored << shift : stored >>> -shift) & mask;
                    (p == 0 ? stored : stored | Vector256.Load(codes + i).AsUInt16()).AsByte().Store(codes + i);
                }
            }

            if (layout.Table is { } table)
            {
                Vector128<byte> levels = Vector128.Create(table);
                for (int i = 0; i < 64; i += 16)
                    Vector128.Shuffle(levels, Vector128.Load(codes + i)).Store(codes + i);
            }
        }
    }

    private static void AddOffsets(TileLayout layout, byte* group, int* sums, int width, float* offsets, float factor, float* results)
    {
        int runs = layout.RunColumns / 16;
        for (int row = 0; row < 16; row++)
        {
            int sum = layout.IsSuper ? 0 : sums[0];
            for (int run = 0; run < layout.Runs && layout.IsSuper; run++)
            {
                int o = group[layout.RunOffsetsAt + PackedMatrix.OffsetPlace(layout, run, row)];
                for (int k = run * runs; k < (run + 1) * runs; k++)
                    sum += o * sums[k * width];
            }

            results[row] = MathF.FusedMultiplyAdd(sum, offsets[row] * factor, results[row]);
        }
    }

    private static void Finish(float* partial, float factor, float* results)
    {
        for (int row = 0; row < 16; row++)
            results[row] = MathF.FusedMultiplyAdd(partial[row], factor, results[row]);
    }
}
