using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Glimmer.Kernels.Lanes;

/// <summary>Sixteen lanes as an array, each operation a loop: the definition that the vector forms are tested against.</summary>
internal unsafe struct ScalarLanes : ILanes<ScalarLanes>
{
    private Sixteen _v;

    public static ScalarLanes Broadcast(float value)
    {
        ScalarLanes result = default;
        for (int i = 0; i < 16; i++)
            result._v[i] = value;
        return result;
    }

    public static ScalarLanes Load(float* source) => LoadFirst(source, 16);

    public static ScalarLanes LoadFirst(float* source, int count)
    {
        ScalarLanes result = default;
        for (int i = 0; i < count && i < 16; i++)
            result._v[i] = source[i];
        return result;
    }

    public static ScalarLanes LoadHalf(ushort* source)
    {
        ScalarLanes result = default;
        for (int i = 0; i < 16; i++)
            result._v[i] = PartialLanes.FromHalf(source[i]);
        return result;
    }

    public static ScalarLanes LoadFiniteHalf(ushort* source)
    {
        ScalarLanes result = default;
        for (int i = 0; i < 16; i++)
            result._v[i] = PartialLanes.FromFiniteHalf(source[i]);
        return result;
    }

    public static void StoreHalf(ScalarLanes value, ushort* target)
    {
        for (int i = 0; i < 16; i++)
            target[i] = PartialLanes.ToHalf(value._v[i]);
    }

    public static ScalarLanes SwapNeighbours(ScalarLanes value)
    {
        for (int i = 0; i < 16; i += 2)
            (value._v[i], value._v[i + 1]) = (value._v[i + 1], value._v[i]);
        return value;
    }

    public static ScalarLanes LoadBFloat16(ushort* source)
    {
        ScalarLanes result = default;
        for (int i = 0; i < 16; i++)
            result._v[i] = BitConverter.Int32BitsToSingle(source[i] << 16);
        return result;
    }

    public static ScalarLanes LoadSByte(sbyte* source)
    {
        ScalarLanes result = default;
        for (int i = 0; i < 16; i++)
            result._v[i] = source[i];
        return result;
    }

    public static void Store(ScalarLanes value, float* target) => StoreFirst(value, target, 16);

    public static void StoreFirst(ScalarLanes value, float* target, int count)
    {
        for (int i = 0; i < count && i < 16; i++)
            target[i] = value._v[i];
    }

    public static ScalarLanes operator +(ScalarLanes a, ScalarLanes b)
    {
        for (int i = 0; i < 16; i++)
            a._v[i] += b._v[i];
        return a;
    }

    public static ScalarLanes operator -(ScalarLanes a, ScalarLanes b)
    {
        for (int i = 0; i < 16; i++)
            a._v[i] -= b._v[i];
        return a;
    }

    public static ScalarLanes operator *(ScalarLanes a, ScalarLanes b)
    {
        for (int i = 0; i < 16; i++)
            a._v[i] *= b._v[i];
        return a;
    }

    public static ScalarLanes operator /(ScalarLanes a, ScalarLanes b)
    {
        for (int i = 0; i < 16; i++)
            a._v[i] /= b._v[i];
        return a;
    }

    public static ScalarLanes Fma(ScalarLanes a, ScalarLanes b, ScalarLanes c)
    {
        for (int i = 0; i < 16; i++)
            c._v[i] = MathF.FusedMultiplyAdd(a._v[i], b._v[i], c._v[i]);
        return c;
    }

    public static ScalarLanes SelectLess(ScalarLanes a, ScalarLanes b, ScalarLanes ifLess, ScalarLanes otherwise)
    {
        for (int i = 0; i < 16; i++)
        {
            if (a._v[i] < b._v[i])
                otherwise._v[i] = ifLess._v[i];
        }

        return otherwise;
    }

    public static ScalarLanes ShiftBitsLeft(ScalarLanes value, int count)
    {
        for (int i = 0; i < 16; i++)
            value._v[i] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(value._v[i]) << count);
        return value;
    }

    public static ScalarLanes AddBits(ScalarLanes a, ScalarLanes b)
    {
        for (int i = 0; i < 16; i++)
            a._v[i] = BitConverter.Int32BitsToSingle(unchecked(BitConverter.SingleToInt32Bits(a._v[i]) + BitConverter.SingleToInt32Bits(b._v[i])));
        return a;
    }

    public static ScalarLanes Abs(ScalarLanes value)
    {
        for (int i = 0; i < 16; i++)
            value._v[i] = MathF.Abs(value._v[i]);
        return value;
    }

    public static Vector128<float> Fold(ScalarLanes value)
    {
        Span<float> folded = stackalloc float[4];
        for (int i = 0; i < 4; i++)
            folded[i] = (value._v[i] + value._v[i + 8]) + (value._v[i + 4] + value._v[i + 12]);
        return Vector128.Create(folded);
    }

    public static float Largest(ScalarLanes value)
    {
        float* lanes = stackalloc float[16];
        Store(value, lanes);
        return PartialLanes.Largest(lanes);
    }

    [InlineArray(16)]
    private struct Sixteen
    {
        private float _first;
    }
}
