using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;
using Glimmer.Kernels.MatrixProducts;

namespace Glimmer.Kernels.Attention;

/// <summary>
/// What the spans of a chunk's keys have come to, when several threads share them: for each span, row and head the largest
/// score, the sum of the weights and the weighted values.
/// </summary>
internal readonly unsafe struct SpanResults(float* data, int rows, int heads, int paddedWidth)
{
    private const int Head = 16;

    [ThreadStatic]
    private static byte[]? _memory;

    /// <summary>Floats that so many spans need.</summary>
    public static long Size(int spans, int rows, int heads, int paddedWidth) => (long)spans * rows * heads * (Head + paddedWidth);

    /// <summary>Memory of the calling thread, kept from call to call; aligned to 64 bytes.</summary>
    public static float* Reserve(long floats)
    {
        byte[]? memory = _memory;
        if (memory is null || memory.Length < floats * sizeof(float) + 64)
            memory = _memory = GC.AllocateUninitializedArray<byte>(checked((int)(floats * sizeof(float) + 64)), pinned: true);
        return (float*)(((nint)Unsafe.AsPointer(ref memory[0]) + 63) & ~63);
    }

    /// <summary>Maximum and total of an item in a span.</summary>
    public float* Statistics(int span, int row, int head) => data + (((long)span * rows + row) * heads + head) * (Head + paddedWidth);

    /// <summary>Weighted values of an item in a span.</summary>
    public float* Sums(int span, int row, int head) => Statistics(span, row, head) + Head;

    /// <summary>Joins the spans of one item in their order and writes the result.</summary>
    public void Finish<V>(int row, int head, int length, float* output, int width)
        where V : struct, ILanes<V>
    {
        if (length == 0)
        {
            new Span<float>(output, width).Clear();
            return;
        }

        float* sums = Scratch.Floats(paddedWidth), first = Statistics(0, row, head);
        new ReadOnlySpan<float>(first + Head, paddedWidth).CopyTo(new Span<float>(sums, paddedWidth));
        float maximum = first[0], total = first[1];
        int spans = (length + PagedAttention.SpanKeys - 1) / PagedAttention.SpanKeys;
        for (int span = 1; span < spans; span++)
        {
            float* next = Statistics(span, row, head);
            Join<V>(ref maximum, ref total, sums, next[0], next[1], next + Head, paddedWidth);
        }

        Divide<V>(sums, total, output, width);
    }

    /// <summary>Adds the result of a span to that of all spans before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Join<V>(ref float maximum, ref float total, float* sums, float nextMaximum, float nextTotal, float* nextSums, int paddedWidth)
        where V : struct, ILanes<V>
    {
        float* power = stackalloc float[16];
        V largest = V.Broadcast(maximum < nextMaximum ? nextMaximum : maximum);
        V.Store(LaneMath.Exp(V.Broadcast(maximum) - largest), power);
        V old = V.Broadcast(power[0]);
        float oldFactor = power[0];
        V.Store(LaneMath.Exp(V.Broadcast(nextMaximum) - largest), power);
        V next = V.Broadcast(power[0]);
        maximum = maximum < nextMaximum ? nextMaximum : maximum;
        total = MathF.FusedMultiplyAdd(nextTotal, power[0], total * oldFactor);
        for (int i = 0; i < paddedWidth; i += 16)
            V.Store(V.Fma(V.Load(nextSums + i), next, V.Load(sums + i) * old), sums + i);
    }

    /// <summary>output = sums / total.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Divide<V>(float* sums, float total, float* output, int width)
        where V : struct, ILanes<V>
    {
        V divisor = V.Broadcast(total);
        int i = 0;
        for (; i + 16 <= width; i += 16)
            V.Store(V.Load(sums + i) / divisor, output + i);
        if (i < width)
            V.StoreFirst(V.Load(sums + i) / divisor, output + i, width - i);
    }
}
