using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer;

/// <summary>
/// The tile for machines without emitted code: the codes of a run are unpacked once for all rows of the panel, then multiplied by <typeparamref name="TDots"/>; floats are
/// those of <typeparamref name="V"/>.
/// </summary>
internal static unsafe class VectorTile<TDots, V>
    where TDots : struct, IByteDots
    where V : struct, ILanes<V>
{
    /// <summary>As <see cref="ScalarTile.Run"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(TileLayout layout, byte* group, byte* panel, int width, int blocks, float* results)
    {
        bool super = layout.IsSuper, hasOffsets = layout.HasOffsets;
        float* floats = stackalloc float[48], partial = stackalloc float[16 * QuantisedRows.PanelRows];
        float* scales = floats, blockScales = floats + 16, offsets = floats + 32;
        byte* codes = stackalloc byte[8 * 64];
        short* pairs = stackalloc short[16 * 32];
        int* starts = stackalloc int[4];
        float* ones = stackalloc float[4] { 1, 1, 1, 1 };
        int sumsAt = QuantisedRows.SumsAt(super) * width, scaleAt = QuantisedRows.ScaleAt(super) * width, record = width * QuantisedRows.RecordBytes(super);
        int runs = layout.Runs, runQuads = layout.RunQuads, runScalesAt = layout.RunScalesAt, sumsPerRun = super ? layout.RunColumns / 16 : 1, zeroBits = layout.ZeroBits, startMask = zeroBits == 0 ? 0 : -1;
        int pairSteps = layout.RunColumns == 32 ? 4 : 16, pairsAt = layout.RunColumns == 32 ? QuantisedRows.PairsAt * width : sumsAt;
        int together = layout.LargestCode > 127 ? 0 : Math.Min(8, 32767 / (2 * 127 * layout.LargestCode));
        new Span<float>(results, 16 * width).Clear();
        for (int block = 0; block < blocks; block++, group += layout.BlockBytes, panel += record)
        {
            float* activation = (float*)(panel + scaleAt), target = super ? partial : results;
            int* sums = (int*)(panel + sumsAt);
            BlockScales(layout, group, blockScales, offsets);
            if (super)
                new Span<float>(partial, 16 * width).Clear();
            for (int run = 0; run < runs; run++)
            {
                if (super) // unsigned scales have at most six bits
                    V.Store(V.Load(blockScales) * V.LoadSByte((sbyte*)(group + runScalesAt + run * 16)), scales);
                Unpack(layout, group, run, codes);
                int* x = (int*)panel + run * runQuads * width, runSums = sums + run * sumsPerRun * width;
                int i = 0;
                for (; i + 4 <= width; i += 4)
                {
                    for (int k = i; k < i + 4; k++)
                        starts[k - i] = (sumsPerRun == 1 ? runSums[k] : runSums[k] + runSums[width + k]) << zeroBits & startMask;
                    TDots.AccumulateFour(codes, runQuads, x + i, width, starts, together, super ? scales : blockScales, super ? ones : activation + i, target + 16 * i);
                }

                for (; i < width; i++)
                {
                    int start = (sumsPerRun == 1 ? runSums[i] : runSums[i] + runSums[width + i]) << zeroBits & startMask;
                    TDots.Accumulate(codes, runQuads, x + i, width, start, together, super ? scales : blockScales, super ? 1 : activation[i], target + 16 * i);
                }
            }

            if (hasOffsets && super)
                UnpackOffsets(layout, group, pairs);
            for (int i = 0; i < width; i++)
            {
                if (hasOffsets && super)
                    TDots.AddOffsets(pairs, pairSteps, (int*)(panel + pairsAt) + i, width, offsets, target + 16 * i);
                else if (hasOffsets)
                    V.Store(V.Fma(V.Broadcast(sums[i]), V.Load(offsets) * V.Broadcast(activation[i]), V.Load(target + 16 * i)), target + 16 * i);
                if (super)
                    V.Store(V.Fma(V.Load(partial + 16 * i), V.Broadcast(activation[i]), V.Load(results + 16 * i)), results + 16 * i);
            }
        }
    }

    private static void BlockScales(TileLayout layout, byte* group, float* scales, float* offsets)
    {
        if (layout.Scale == ScaleKind.Half)
        {
            V.Store(V.LoadHalf((ushort*)group), scales);
        }
        else
        {
            for (int row = 0; row < 16; row++)
                ((int*)scales)[row] = group[row] << 23;
        }

        if (layout.HasOffsets)
            V.Store(V.LoadHalf((ushort*)(group + layout.OffsetAt)), offsets);
    }

    /// <summary>Offsets as 16-bit numbers, row by row two of neighbouring runs of 32, or one and 0 with runs of 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void UnpackOffsets(TileLayout layout, byte* group, short* pairs)
    {
        byte* offsets = group + layout.RunOffsetsAt;
        bool paired = layout.RunColumns == 32;
        for (int i = 0; i < (paired ? 128 : 256); i += 16)
        {
            (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.Load(offsets + i));
            if (paired)
            {
                low.AsInt16().Store(pairs + i);
                high.AsInt16().Store(pairs + i + 8);
                continue;
            }

            (Vector128<uint> a, Vector128<uint> b) = Vector128.Widen(low);
            (Vector128<uint> c, Vector128<uint> d) = Vector128.Widen(high);
            a.AsInt16().Store(pairs + 2 * i);
            b.AsInt16().Store(pairs + 2 * i + 8);
            c.AsInt16().Store(pairs + 2 * i + 16);
            d.AsInt16().Store(pairs + 2 * i + 24);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unpack(TileLayout layout, byte* group, int run, byte* codes)
    {
        int quads = layout.RunQuads;
        for (int p = 0; p < layout.Planes.Length; p++)
        {
            CodePlane plane = layout.Planes[p];
            int fields = plane.QuadsPerVector, bits = plane.Bits, position = plane.Position, first = run * quads;
            byte* source = group + layout.PlaneAt[p] + first / fields * 64, target = codes;
            Vector256<ushort> mask = Vector256.Create(plane.Mask).AsUInt16();
            for (int quad = 0, field = first % fields; quad < quads; quad++, target += 64)
            {
                int shift = position - bits * field;
                for (int i = 0; i < 64; i += 32)
                {
                    Vector256<ushort> stored = Vector256.Load(source + i).AsUInt16();
                    stored = (shift >= 0 ? stored << shift : stored >>> -shift) & mask;
                    (p == 0 ? stored : stored | Vector256.Load(target + i).AsUInt16()).AsByte().Store(target + i);
                }

                if (++field == fields)
                {
                    field = 0;
                    source += 64;
                }
            }
        }

        if (layout.Table is not { } table)
            return;
        Vector128<byte> levels = Vector128.Create(table);
        for (int i = 0; i < quads * 64; i += 16)
            Vector128.Shuffle(levels, Vector128.Load(codes + i)).Store(codes + i);
    }
}
