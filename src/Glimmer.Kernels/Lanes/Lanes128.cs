using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Glimmer.Kernels.Lanes;

/// <summary>Sixteen lanes in four 128-bit registers (NEON, or any machine with 128-bit vectors and FMA): four lanes each, in order.</summary>
internal readonly unsafe struct Lanes128 : ILanes<Lanes128>
{
    private readonly Vector128<float> _a, _b, _c, _d;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Lanes128(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        _a = a;
        _b = b;
        _c = c;
        _d = d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Broadcast(float value) => new(
        Vector128.Create(value),
        Vector128.Create(value),
        Vector128.Create(value),
        Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Load(float* source) => new(
        Vector128.Load(source),
        Vector128.Load(source + 4),
        Vector128.Load(source + 8),
        Vector128.Load(source + 12));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadFirst(float* source, int count)
    {
        if (count >= 16)
            return Load(source);
        float* lanes = stackalloc float[16];
        PartialLanes.Fill(lanes, source, count);
        return Load(lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadHalf(ushort* source) => new(
        FromHalf(Widen(source)),
        FromHalf(Widen(source + 4)),
        FromHalf(Widen(source + 8)),
        FromHalf(Widen(source + 12)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadFiniteHalf(ushort* source) => new(
        FromFiniteHalf(WidenSigned(source)),
        FromFiniteHalf(WidenSigned(source + 4)),
        FromFiniteHalf(WidenSigned(source + 8)),
        FromFiniteHalf(WidenSigned(source + 12)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreHalf(Lanes128 value, ushort* target)
    {
        Vector128.Narrow(ToHalf(value._a), ToHalf(value._b)).Store(target);
        Vector128.Narrow(ToHalf(value._c), ToHalf(value._d)).Store(target + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 SwapNeighbours(Lanes128 value) => new(Swap(value._a), Swap(value._b), Swap(value._c), Swap(value._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadBFloat16(ushort* source) => new(
        (Widen(source) << 16).AsSingle(),
        (Widen(source + 4) << 16).AsSingle(),
        (Widen(source + 8) << 16).AsSingle(),
        (Widen(source + 12) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 LoadSByte(sbyte* source) => new(
        Vector128.ConvertToSingle(Widen(source)),
        Vector128.ConvertToSingle(Widen(source + 4)),
        Vector128.ConvertToSingle(Widen(source + 8)),
        Vector128.ConvertToSingle(Widen(source + 12)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes128 value, float* target)
    {
        value._a.Store(target);
        value._b.Store(target + 4);
        value._c.Store(target + 8);
        value._d.Store(target + 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreFirst(Lanes128 value, float* target, int count)
    {
        if (count >= 16)
        {
            Store(value, target);
            return;
        }

        float* lanes = stackalloc float[16];
        Store(value, lanes);
        for (int i = 0; i < count; i++)
            target[i] = lanes[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator +(Lanes128 a, Lanes128 b) => new(
        a._a + b._a,
        a._b + b._b,
        a._c + b._c,
        a._d + b._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator -(Lanes128 a, Lanes128 b) => new(
        a._a - b._a,
        a._b - b._b,
        a._c - b._c,
        a._d - b._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator *(Lanes128 a, Lanes128 b) => new(
        a._a * b._a,
        a._b * b._b,
        a._c * b._c,
        a._d * b._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 operator /(Lanes128 a, Lanes128 b) => new(
        a._a / b._a,
        a._b / b._b,
        a._c / b._c,
        a._d / b._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Fma(Lanes128 a, Lanes128 b, Lanes128 c) => new(
        Vector128.FusedMultiplyAdd(a._a, b._a, c._a),
        Vector128.FusedMultiplyAdd(a._b, b._b, c._b),
        Vector128.FusedMultiplyAdd(a._c, b._c, c._c),
        Vector128.FusedMultiplyAdd(a._d, b._d, c._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 SelectLess(Lanes128 a, Lanes128 b, Lanes128 ifLess, Lanes128 otherwise) => new(
        Vector128.ConditionalSelect(Vector128.LessThan(a._a, b._a), ifLess._a, otherwise._a),
        Vector128.ConditionalSelect(Vector128.LessThan(a._b, b._b), ifLess._b, otherwise._b),
        Vector128.ConditionalSelect(Vector128.LessThan(a._c, b._c), ifLess._c, otherwise._c),
        Vector128.ConditionalSelect(Vector128.LessThan(a._d, b._d), ifLess._d, otherwise._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 ShiftBitsLeft(Lanes128 value, int count) => new(
        (value._a.AsInt32() << count).AsSingle(),
        (value._b.AsInt32() << count).AsSingle(),
        (value._c.AsInt32() << count).AsSingle(),
        (value._d.AsInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 AddBits(Lanes128 a, Lanes128 b) => new(
        (a._a.AsInt32() + b._a.AsInt32()).AsSingle(),
        (a._b.AsInt32() + b._b.AsInt32()).AsSingle(),
        (a._c.AsInt32() + b._c.AsInt32()).AsSingle(),
        (a._d.AsInt32() + b._d.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128 Abs(Lanes128 value) => new(
        Vector128.Abs(value._a),
        Vector128.Abs(value._b),
        Vector128.Abs(value._c),
        Vector128.Abs(value._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Fold(Lanes128 value) => (value._a + value._c) + (value._b + value._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Lanes128 value) => PartialLanes.Largest(
        Vector128.ConditionalSelect(Vector128.LessThan(value._a, value._c), value._c, value._a),
        Vector128.ConditionalSelect(Vector128.LessThan(value._b, value._d), value._d, value._b));

    /// <summary>
    /// Halves in the low 16 bits of each lane. Shifting exponent and fraction into place and multiplying by 2^112 is exact,
    /// subnormals included; an infinite or NaN half keeps the exponent of all ones.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> FromHalf(Vector128<int> bits)
    {
        Vector128<int> magnitude = bits & Vector128.Create(0x7FFF);
        Vector128<int> sign = (bits ^ magnitude) << 16;
        Vector128<int> finite = (Vector128.Create(PartialLanes.Two112) * (magnitude << 13).AsSingle()).AsInt32();
        Vector128<int> special = (magnitude << 13) | Vector128.Create(0x7F800000);
        Vector128<int> isSpecial = Vector128.GreaterThan(magnitude, Vector128.Create(0x7BFF));
        return (sign | Vector128.ConditionalSelect(isSpecial, special, finite)).AsSingle();
    }

    /// <summary>Widens finite halves: sign-extended and shifted, sign and exponent lie right but for a factor of 2^112.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> FromFiniteHalf(Vector128<int> signExtended) =>
        Vector128.Create(PartialLanes.Two112) * ((signExtended << 13) & Vector128.Create(PartialLanes.FiniteHalfMask)).AsSingle();

    /// <summary>As <see cref="PartialLanes.ToHalf"/>, in the low 16 bits of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> ToHalf(Vector128<float> value)
    {
        Vector128<int> bits = value.AsInt32(), magnitude = Vector128.Min(bits & Vector128.Create(int.MaxValue), Vector128.Create(PartialLanes.LargestHalf));
        Vector128<int> small = (magnitude.AsSingle() + Vector128.Create(0.5f)).AsInt32() - Vector128.Create(0x3F000000);
        Vector128<int> normal = (magnitude + Vector128.Create(0xFFF - 0x38000000) + ((magnitude >> 13) & Vector128<int>.One)) >> 13;
        Vector128<int> isSmall = Vector128.LessThan(magnitude, Vector128.Create(PartialLanes.SmallestNormalHalf));
        return (Vector128.ConditionalSelect(isSmall, small, normal) | ((bits >>> 16) & Vector128.Create(0x8000))).AsUInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Swap(Vector128<float> value) => Vector128.Shuffle(value, Vector128.Create(1, 0, 3, 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> WidenSigned(ushort* source) => Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(long*)source).AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Widen(ushort* source) =>
        Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(source)).AsUInt16()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Widen(sbyte* source) =>
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<uint>(source)).AsSByte()));
}
