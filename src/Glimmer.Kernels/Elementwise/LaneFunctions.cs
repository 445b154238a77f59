using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Elementwise;

internal readonly struct AddFunction : ILaneFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b)
        where V : struct, ILanes<V> => a + b;
}

internal readonly struct MultiplyFunction : ILaneFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b)
        where V : struct, ILanes<V> => a * b;
}

internal readonly struct ScaleFunction(float factor) : ILaneFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b)
        where V : struct, ILanes<V> => a * V.Broadcast(factor);
}

/// <summary>b + factor·a with one rounding.</summary>
internal readonly struct AddScaledFunction(float factor) : ILaneFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b)
        where V : struct, ILanes<V> => V.Fma(a, V.Broadcast(factor), b);
}

internal readonly struct ExpFunction : ILaneFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b)
        where V : struct, ILanes<V> => LaneMath.Exp(a);
}

internal readonly struct SigmoidFunction : ILaneFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b)
        where V : struct, ILanes<V> => LaneMath.Sigmoid(a);
}

internal readonly struct SiluFunction : ILaneFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b)
        where V : struct, ILanes<V> => LaneMath.Silu(a);
}

internal readonly struct SwiGluFunction : ILaneFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b)
        where V : struct, ILanes<V> => LaneMath.Silu(a) * b;
}

/// <summary>The gate is cut off above, the linear half on both sides. NaN stays NaN.</summary>
internal readonly struct ClampedSwiGluFunction(float limit) : ILaneFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b)
        where V : struct, ILanes<V>
    {
        V high = V.Broadcast(limit), low = V.Broadcast(-limit);
        a = V.SelectLess(high, a, high, a);
        b = V.SelectLess(high, b, high, b);
        b = V.SelectLess(b, low, low, b);
        return LaneMath.Silu(a) * b;
    }
}
