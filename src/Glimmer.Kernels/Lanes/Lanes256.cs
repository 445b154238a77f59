using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Glimmer.Kernels.Lanes;

/// <summary>Sixteen lanes in two 256-bit registers (AVX2 with FMA): lanes 0–7 and 8–15.</summary>
internal readonly unsafe struct Lanes256 : ILanes<Lanes256>
{
    private readonly Vector256<float> _a, _b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Lanes256(Vector256<float> a, Vector256<float> b)
    {
        _a = a;
        _b = b;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Broadcast(float value) =>
        new(Vector256.Create(value), Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(float* source) =>
        new(Vector256.Load(source), Vector256.Load(source + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadFirst(float* source, int count)
    {
        if (count >= 16)
            return Load(source);
        float* lanes = stackalloc float[16];
        PartialLanes.Fill(lanes, source, count);
        return Load(lanes);
    }

    /// <summary>8 halves, widened exactly, as the register itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> HalfVector(ushort* source) => FromHalf(Widen(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadHalf(ushort* source) =>
        new(FromHalf(Widen(source)), FromHalf(Widen(source + 8)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadFiniteHalf(ushort* source) =>
        new(FromFiniteHalf(Avx2.ConvertToVector256Int32((short*)source)), FromFiniteHalf(Avx2.ConvertToVector256Int32((short*)source + 8)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreHalf(Lanes256 value, ushort* target) => Vector256.Narrow(ToHalf(value._a), ToHalf(value._b)).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 SwapNeighbours(Lanes256 value) => new(Avx.Permute(value._a, 0b10_11_00_01), Avx.Permute(value._b, 0b10_11_00_01));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadBFloat16(ushort* source) =>
        new((Widen(source) << 16).AsSingle(), (Widen(source + 8) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadSByte(sbyte* source) =>
        new(Vector256.ConvertToSingle(Widen(source)), Vector256.ConvertToSingle(Widen(source + 8)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes256 value, float* target)
    {
        value._a.Store(target);
        value._b.Store(target + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreFirst(Lanes256 value, float* target, int count)
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
    public static Lanes256 operator +(Lanes256 a, Lanes256 b) =>
        new(a._a + b._a, a._b + b._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator -(Lanes256 a, Lanes256 b) =>
        new(a._a - b._a, a._b - b._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator *(Lanes256 a, Lanes256 b) =>
        new(a._a * b._a, a._b * b._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator /(Lanes256 a, Lanes256 b) =>
        new(a._a / b._a, a._b / b._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Fma(Lanes256 a, Lanes256 b, Lanes256 c) =>
        new(Vector256.FusedMultiplyAdd(a._a, b._a, c._a), Vector256.FusedMultiplyAdd(a._b, b._b, c._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 SelectLess(Lanes256 a, Lanes256 b, Lanes256 ifLess, Lanes256 otherwise) =>
        new(Vector256.ConditionalSelect(Vector256.LessThan(a._a, b._a), ifLess._a, otherwise._a), Vector256.ConditionalSelect(Vector256.LessThan(a._b, b._b), ifLess._b, otherwise._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ShiftBitsLeft(Lanes256 value, int count) =>
        new((value._a.AsInt32() << count).AsSingle(), (value._b.AsInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 AddBits(Lanes256 a, Lanes256 b) =>
        new((a._a.AsInt32() + b._a.AsInt32()).AsSingle(), (a._b.AsInt32() + b._b.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Abs(Lanes256 value) =>
        new(Vector256.Abs(value._a), Vector256.Abs(value._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Fold(Lanes256 value)
    {
        Vector256<float> half = value._a + value._b;
        return half.GetLower() + half.GetUpper();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Lanes256 value)
    {
        Vector256<float> a = Vector256.ConditionalSelect(Vector256.LessThan(value._a, value._b), value._b, value._a);
        return PartialLanes.Largest(a.GetLower(), a.GetUpper());
    }

    /// <summary>
    /// Halves in the low 16 bits of each lane. Shifting exponent and fraction into place and multiplying by 2^112 is exact,
    /// subnormals included; an infinite or NaN half keeps the exponent of all ones.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> FromHalf(Vector256<int> bits)
    {
        Vector256<int> magnitude = bits & Vector256.Create(0x7FFF);
        Vector256<int> sign = (bits ^ magnitude) << 16;
        Vector256<int> finite = (Vector256.Create(PartialLanes.Two112) * (magnitude << 13).AsSingle()).AsInt32();
        Vector256<int> special = (magnitude << 13) | Vector256.Create(0x7F800000);
        Vector256<int> isSpecial = Vector256.GreaterThan(magnitude, Vector256.Create(0x7BFF));
        return (sign | Vector256.ConditionalSelect(isSpecial, special, finite)).AsSingle();
    }

    /// <summary>Widens finite halves: sign-extended and shifted, sign and exponent lie right but for a factor of 2^112.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> FromFiniteHalf(Vector256<int> signExtended) =>
        Vector256.Create(PartialLanes.Two112) * ((signExtended << 13) & Vector256.Create(PartialLanes.FiniteHalfMask)).AsSingle();

    /// <summary>As <see cref="PartialLanes.ToHalf"/>, in the low 16 bits of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> ToHalf(Vector256<float> value)
    {
        Vector256<int> bits = value.AsInt32(), magnitude = Vector256.Min(bits & Vector256.Create(int.MaxValue), Vector256.Create(PartialLanes.LargestHalf));
        Vector256<int> small = (magnitude.AsSingle() + Vector256.Create(0.5f)).AsInt32() - Vector256.Create(0x3F000000);
        Vector256<int> normal = (magnitude + Vector256.Create(0xFFF - 0x38000000) + ((magnitude >> 13) & Vector256<int>.One)) >> 13;
        Vector256<int> isSmall = Vector256.LessThan(magnitude, Vector256.Create(PartialLanes.SmallestNormalHalf));
        return (Vector256.ConditionalSelect(isSmall, small, normal) | ((bits >>> 16) & Vector256.Create(0x8000))).AsUInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(ushort* source) => Avx2.ConvertToVector256Int32(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(sbyte* source) => Avx2.ConvertToVector256Int32(source);
}
