using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Glimmer.Kernels.Lanes;

/// <summary>Sixteen lanes in one 512-bit register (AVX-512).</summary>
internal readonly unsafe struct Lanes512 : ILanes<Lanes512>
{
    private readonly Vector512<float> _v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Lanes512(Vector512<float> v) => _v = v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Broadcast(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadFirst(float* source, int count)
    {
        if (count >= 16)
            return Load(source);
        float* lanes = stackalloc float[16];
        PartialLanes.Fill(lanes, source, count);
        return Load(lanes);
    }

    /// <summary>16 halves, widened exactly, as the register itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> HalfVector(ushort* source) => FromHalf(Widen(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadHalf(ushort* source) => new(FromHalf(Widen(source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadFiniteHalf(ushort* source) => new(FromFiniteHalf(Avx512F.ConvertToVector512Int32(Vector256.Load((short*)source))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreHalf(Lanes512 value, ushort* target) => Avx512F.ConvertToVector256UInt16(ToHalf(value._v)).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 SwapNeighbours(Lanes512 value) => new(Avx512F.Permute4x32(value._v, 0b10_11_00_01));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadBFloat16(ushort* source) => new((Widen(source) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadSByte(sbyte* source) => new(Vector512.ConvertToSingle(Widen(source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes512 value, float* target) => value._v.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreFirst(Lanes512 value, float* target, int count)
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
    public static Lanes512 operator +(Lanes512 a, Lanes512 b) => new(a._v + b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator -(Lanes512 a, Lanes512 b) => new(a._v - b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator *(Lanes512 a, Lanes512 b) => new(a._v * b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator /(Lanes512 a, Lanes512 b) => new(a._v / b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Fma(Lanes512 a, Lanes512 b, Lanes512 c) => new(Vector512.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 SelectLess(Lanes512 a, Lanes512 b, Lanes512 ifLess, Lanes512 otherwise) => new(Vector512.ConditionalSelect(Vector512.LessThan(a._v, b._v), ifLess._v, otherwise._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ShiftBitsLeft(Lanes512 value, int count) => new((value._v.AsInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 AddBits(Lanes512 a, Lanes512 b) => new((a._v.AsInt32() + b._v.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Abs(Lanes512 value) => new(Vector512.Abs(value._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Fold(Lanes512 value)
    {
        Vector256<float> half = value._v.GetLower() + value._v.GetUpper();
        return half.GetLower() + half.GetUpper();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Lanes512 value)
    {
        Vector256<float> a = value._v.GetLower(), b = value._v.GetUpper();
        a = Vector256.ConditionalSelect(Vector256.LessThan(a, b), b, a);
        return PartialLanes.Largest(a.GetLower(), a.GetUpper());
    }

    /// <summary>
    /// Halves in the low 16 bits of each lane. Shifting exponent and fraction into place and multiplying by 2^112 is exact,
    /// subnormals included; an infinite or NaN half keeps the exponent of all ones.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> FromHalf(Vector512<int> bits)
    {
        Vector512<int> magnitude = bits & Vector512.Create(0x7FFF);
        Vector512<int> sign = (bits ^ magnitude) << 16;
        Vector512<int> finite = (Vector512.Create(PartialLanes.Two112) * (magnitude << 13).AsSingle()).AsInt32();
        Vector512<int> special = (magnitude << 13) | Vector512.Create(0x7F800000);
        Vector512<int> isSpecial = Vector512.GreaterThan(magnitude, Vector512.Create(0x7BFF));
        return (sign | Vector512.ConditionalSelect(isSpecial, special, finite)).AsSingle();
    }

    /// <summary>Widens finite halves: sign-extended and shifted, sign and exponent lie right but for a factor of 2^112.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> FromFiniteHalf(Vector512<int> signExtended) =>
        Vector512.Create(PartialLanes.Two112) * ((signExtended << 13) & Vector512.Create(PartialLanes.FiniteHalfMask)).AsSingle();

    /// <summary>As <see cref="PartialLanes.ToHalf"/>, in the low 16 bits of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> ToHalf(Vector512<float> value)
    {
        Vector512<int> bits = value.AsInt32(), magnitude = Vector512.Min(bits & Vector512.Create(int.MaxValue), Vector512.Create(PartialLanes.LargestHalf));
        Vector512<int> small = (magnitude.AsSingle() + Vector512.Create(0.5f)).AsInt32() - Vector512.Create(0x3F000000);
        Vector512<int> normal = (magnitude + Vector512.Create(0xFFF - 0x38000000) + ((magnitude >> 13) & Vector512<int>.One)) >> 13;
        Vector512<int> isSmall = Vector512.LessThan(magnitude, Vector512.Create(PartialLanes.SmallestNormalHalf));
        return (Vector512.ConditionalSelect(isSmall, small, normal) | ((bits >>> 16) & Vector512.Create(0x8000))).AsUInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Widen(ushort* source) => Avx512F.ConvertToVector512Int32(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Widen(sbyte* source) => Avx512F.ConvertToVector512Int32(Vector128.Load(source));
}
