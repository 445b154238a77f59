using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.MatrixProducts;

/// <summary>Dequantises weights of one format straight into lanes, exactly as the format's codec does.</summary>
internal unsafe interface IWeightReader
{
    /// <summary>Weights 32·block … 32·block+31 of a row.</summary>
    static abstract void Load32<V>(byte* row, int block, out V first, out V second)
        where V : struct, ILanes<V>;

    /// <summary>The last 1 … 31 weights of a row, from <paramref name="column"/>, as floats; the rest of the 32 is cleared.</summary>
    static abstract void CopyRest(byte* row, int column, int count, float* values);
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

    public static void CopyRest(byte* row, int column, int count, float* values)
    {
        for (int i = 0; i < 32; i++)
            values[i] = i < count ? ((float*)row)[column + i] : 0;
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

    public static void CopyRest(byte* row, int column, int count, float* values)
    {
        for (int i = 0; i < 32; i++)
            values[i] = i < count ? PartialLanes.FromHalf(((ushort*)row)[column + i]) : 0;
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

    public static void CopyRest(byte* row, int column, int count, float* values)
    {
        for (int i = 0; i < 32; i++)
            values[i] = i < count ? BitConverter.Int32BitsToSingle(((ushort*)row)[column + i] << 16) : 0;
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

    public static void CopyRest(byte* row, int column, int count, float* values) =>
        throw new System.Diagnostics.UnreachableException("Rows of Q8_0 consist of whole blocks.");
}
