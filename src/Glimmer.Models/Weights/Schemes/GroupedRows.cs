using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>
/// Rows of small codes, low bits first, with a zero point and a scale for every group of inputs: w = (code − zero)·scale. Where the file keeps the codes
/// of an output together they stay there; else they are put in order once, as small as they were.
/// </summary>
internal sealed unsafe class GroupedRows : RowSource
{
    private readonly byte* _codes;
    private readonly object _owner;
    private readonly long _rowBytes;
    private readonly int _bits;
    private readonly int _groups;
    private readonly int _groupSize;
    private readonly int[]? _groupOfInput;
    private readonly byte[] _zeros;
    private readonly float[] _scales;

    private GroupedRows(byte* codes, object owner, long rowBytes, int rows, int columns, int bits, int groups, int groupSize, int[]? groupOfInput, Func<int, int, byte> zero, Func<int, int, float> scale)
    {
        _codes = codes;
        (_owner, _rowBytes, _bits, _groups) = (owner, rowBytes, bits, groups);
        (Rows, Columns) = (rows, columns);
        _groupSize = groupSize;
        _groupOfInput = groupSize > 0 ? null : groupOfInput;
        _zeros = new byte[checked((long)rows * groups)];
        _scales = new float[_zeros.LongLength];
        for (int row = 0; row < rows; row++)
        {
            for (int group = 0; group < groups; group++)
                (_zeros[(long)row * groups + group], _scales[(long)row * groups + group]) = (zero(row, group), scale(row, group));
        }
    }

    /// <summary>Fills the codes of an output, one to a byte.</summary>
    public delegate void ReadCodes(int row, Span<byte> codes);

    /// <inheritdoc/>
    public override int Rows { get; }

    /// <inheritdoc/>
    public override int Columns { get; }

    /// <inheritdoc/>
    public override long Bytes => _rowBytes * Rows + _scales.LongLength * 5;

    /// <summary>The size of groups that follow each other; one group may be longer than the row.</summary>
    public static int EvenGroups(long size, long inputs) => (int)Math.Max(1, Math.Min(size, inputs));

    /// <summary>Bytes of zero points and scales.</summary>
    public static long GroupBytes(long rows, long groups) => checked(rows * groups * 5);

    /// <summary>Bytes of what <see cref="Copy"/> makes.</summary>
    public static long CopiedBytes(long rows, long columns, int bits, long groups) => checked(rows * ((columns * bits + 7) / 8) + GroupBytes(rows, groups));

    /// <summary>Rows whose codes lie together in the file.</summary>
    public static GroupedRows InPlace(StoredTensor packed, int rows, int columns, int bits, int groups, int groupSize, int[] groupOfInput, Func<int, int, byte> zero, Func<int, int, float> scale) =>
        new((byte*)packed.Address, packed, packed.Shape[1] * 4, rows, columns, bits, groups, groupSize, groupOfInput, zero, scale);

    /// <summary>Rows put together from codes that lie apart.</summary>
    public static GroupedRows Copy(int rows, int columns, int bits, int groups, int groupSize, int[]? groupOfInput, ReadCodes read, Func<int, int, byte> zero, Func<int, int, float> scale)
    {
        long rowBytes = ((long)columns * bits + 7) / 8;
        NativeFloats memory = new((rowBytes * rows + 3) / 4);
        byte* start = (byte*)memory.Start;
        Parallel.For(0, rows, () => new byte[columns + 1], (row, _, codes) =>
        {
            read(row, codes.AsSpan(0, columns));
            byte* target = start + row * rowBytes;
            if (bits == 8)
            {
                codes.AsSpan(0, columns).CopyTo(new Span<byte>(target, columns));
                return codes;
            }

            for (int i = 0; i < columns; i += 2)
                target[i / 2] = (byte)(codes[i] | (codes[i + 1] << 4));
            return codes;
        }, _ => { });
        return new GroupedRows(start, memory, rowBytes, rows, columns, bits, groups, groupSize, groupOfInput, zero, scale);
    }

    /// <inheritdoc/>
    public override void Read(int row, Span<float> values)
    {
        values = values[..Columns];
        byte* codes = _codes + row * _rowBytes;
        long first = (long)row * _groups;
        if (_groupOfInput is { } groups)
        {
            for (int i = 0; i < values.Length; i++)
                values[i] = (Code(codes, i) - _zeros[first + groups[i]]) * _scales[first + groups[i]];
        }
        else
        {
            for (int start = 0; start < values.Length; start += _groupSize, first++)
                ReadGroup(codes, start, values.Slice(start, Math.Min(_groupSize, values.Length - start)), _zeros[first], _scales[first]);
        }

        GC.KeepAlive(_owner);
    }

    private int Code(byte* codes, int index) => _bits == 8 ? codes[index] : (codes[index >> 1] >> ((index & 1) * 4)) & 15;

    private void ReadGroup(byte* codes, int start, Span<float> values, byte zero, float scale)
    {
        int i = 0;
        if (_bits == 4 && (start & 1) == 0)
        {
            byte* pairs = codes + start / 2;
            ref float value = ref MemoryMarshal.GetReference(values);
            Vector128<byte> low = Vector128.Create((byte)15);
            Vector256<float> zeros = Vector256.Create((float)zero), scales = Vector256.Create(scale);
            for (; i <= values.Length - 16; i += 16)
            {
                Vector128<byte> eight = Vector128.CreateScalar(Unsafe.ReadUnaligned<ulong>(pairs + i / 2)).AsByte();
                Vector128<ushort> evens = Vector128.WidenLower(eight & low), odds = Vector128.WidenLower(eight >>> 4);
                Vector128<byte> both = (evens | (odds << 8)).AsByte(); // even and odd codes alternate again
                (Vector128<ushort> a, Vector128<ushort> b) = Vector128.Widen(both);
                ((Floats(a) - zeros) * scales).StoreUnsafe(ref value, (nuint)i);
                ((Floats(b) - zeros) * scales).StoreUnsafe(ref value, (nuint)i + 8);
            }
        }

        for (; i < values.Length; i++)
            values[i] = (Code(codes, start + i) - zero) * scale;
    }

    private static Vector256<float> Floats(Vector128<ushort> codes) =>
        Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(codes), Vector128.WidenUpper(codes)).AsInt32());
}
