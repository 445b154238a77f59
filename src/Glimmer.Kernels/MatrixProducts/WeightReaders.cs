using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.MatrixProducts;

/// <summary>Dequantises weights of one format straight into lanes, exactly as the format's codec does.</summary>
internal unsafe interface IWeightReader
{
    /// <summary>Weights 32·block … 32·block+31 of a row.</summary>
    static abstract void Load32<V>(byte* row, int block, out V first, out V second)
        where V : struct, ILanes<V>;

    /// <summary>The last 1 … 31 weights of a row, from <paramref name="column"/>; lanes past the end are 0.</summary>
    static abstract void LoadRest<V>(byte* row, int column, int count, out V first, out V second)
        where V : struct, ILanes<V>;
}

internal readonly unsafe struct F32Reader : IWeightReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load32<V>(byte* row, int block, out V first, out V second)
        where V : struct, ILanes<V>
    {
        float* source = (float*)row + 32L * block;
        first = V.Load(source);
        second = V.Load(source + 16);
    }

    public static void LoadRest<V>(byte* row, int column, int count, out V first, out V second)
        where V : struct, ILanes<V>
    {
        float* source = (float*)row + column;
        first = V.LoadFirst(source, Math.Min(count, 16));
        second = V.LoadFirst(source + Math.Min(count, 16), Math.Max(count - 16, 0));
    }
}

internal readonly unsafe struct F16Reader : IWeightReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load32<V>(byte* row, int block, out V first, out V second)
        where V : struct, ILanes<V>
    {
        ushort* source = (ushort*)row + 32L * block;
        first = V.LoadHalf(source);
        second = V.LoadHalf(source + 16);
    }

    public static void LoadRest<V>(byte* row, int column, int count, out V first, out V second)
        where V : struct, ILanes<V>
    {
        ushort* padded = stackalloc ushort[32];
        new ReadOnlySpan<ushort>((ushort*)row + column, count).CopyTo(new Span<ushort>(padded, 32));
        new Span<ushort>(padded + count, 32 - count).Clear();
        first = V.LoadHalf(padded);
        second = V.LoadHalf(padded + 16);
    }
}

internal readonly unsafe struct BF16Reader : IWeightReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load32<V>(byte* row, int block, out V first, out V second)
        where V : struct, ILanes<V>
    {
        ushort* source = (ushort*)row + 32L * block;
        first = V.LoadBFloat16(source);
        second = V.LoadBFloat16(source + 16);
    }

    public static void LoadRest<V>(byte* row, int column, int count, out V first, out V second)
        where V : struct, ILanes<V>
    {
        ushort* padded = stackalloc ushort[32];
        new ReadOnlySpan<ushort>((ushort*)row + column, count).CopyTo(new Span<ushort>(padded, 32));
        new Span<ushort>(padded + count, 32 - count).Clear();
        first = V.LoadBFloat16(padded);
        second = V.LoadBFloat16(padded + 16);
    }
}

/// <summary>Blocks of 34 bytes: a half d and 32 signed bytes. The product d·q has 19 significant bits, so it is exact.</summary>
internal readonly unsafe struct Q8_0Reader : IWeightReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load32<V>(byte* row, int block, out V first, out V second)
        where V : struct, ILanes<V>
    {
        byte* source = row + 34L * block;
        V scale = V.Broadcast(PartialLanes.FromHalf(*(ushort*)source));
        first = V.LoadSByte((sbyte*)(source + 2)) * scale;
        second = V.LoadSByte((sbyte*)(source + 18)) * scale;
    }

    public static void LoadRest<V>(byte* row, int column, int count, out V first, out V second)
        where V : struct, ILanes<V> => throw new System.Diagnostics.UnreachableException("Rows of Q8_0 consist of whole blocks.");
}
