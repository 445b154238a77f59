using System.Runtime.CompilerServices;
using Glimmer.Kernels.Formats;

namespace Glimmer.Kernels.Integer;

/// <summary>
/// Weights in blocks of 32 with one scale, rearranged so that one vector holds the same columns of sixteen rows.
/// </summary>
/// <remarks>
/// <para>
/// Groups of 16 rows; in a group one record of <see cref="BlockBytes"/> per block of 32 columns: 16 half-precision scales (32 bytes, one per row),
/// then for every 4 columns 64 bytes, 4 per row. Weights are stored plus 128, as unsigned bytes. Rows past the end have scale 0.
/// </para>
/// <para>Q8_0 keeps its size; Q4_0 grows to the same 8 bits per weight.</para>
/// </remarks>
internal sealed unsafe class PackedMatrix
{
    /// <summary>Rows of a group.</summary>
    public const int GroupRows = 16;

    /// <summary>Bytes of one block of a group.</summary>
    public const int BlockBytes = 32 + 16 * 32;

    private readonly byte[] _owner;
    private readonly byte* _data;

    private PackedMatrix(byte[] owner, byte* data, int rows, int blocks)
    {
        _owner = owner;
        _data = data;
        Rows = rows;
        Blocks = blocks;
    }

    /// <summary>Outputs.</summary>
    public int Rows { get; }

    /// <summary>Blocks of 32 inputs.</summary>
    public int Blocks { get; }

    /// <summary>Whether weights of a format can be packed.</summary>
    public static bool CanPack(BlockFormat format) => format is BlockFormat.Q8_0 or BlockFormat.Q4_0;

    /// <summary>Copies a matrix into packed form.</summary>
    /// <exception cref="NotSupportedException">The format does not consist of blocks of 32 with one scale.</exception>
    public static PackedMatrix Pack(WeightMatrix weights)
    {
        if (!CanPack(weights.Format))
            throw new NotSupportedException($"Weights in format {weights.Format} cannot be packed for integer products; use Q8_0 or Q4_0.");
        int blocks = weights.Columns / 32, groups = (weights.Rows + GroupRows - 1) / GroupRows;
        byte[] bytes = GC.AllocateArray<byte>(checked((int)((long)groups * blocks * BlockBytes + 64)), pinned: true);
        byte* data = (byte*)(((nint)Unsafe.AsPointer(ref bytes[0]) + 63) & ~63); // pinned, and kept by the field
        for (int row = 0; row < weights.Rows; row++)
        {
            byte* source = weights.Data + row * weights.RowBytes;
            byte* target = data + (long)(row / GroupRows) * blocks * BlockBytes;
            for (int block = 0; block < blocks; block++, target += BlockBytes)
            {
                if (weights.Format == BlockFormat.Q8_0)
                    PutQ8_0(source + block * 34L, target, row % GroupRows);
                else
                    PutQ4_0(source + block * 18L, target, row % GroupRows);
            }
        }

        GC.KeepAlive(weights.Owner);
        return new PackedMatrix(bytes, data, weights.Rows, blocks);
    }

    /// <summary>First byte of a group of rows.</summary>
    public byte* Group(int group) => _data + (long)group * Blocks * BlockBytes;

    /// <summary>A view of some rows, or null when they do not begin with a group.</summary>
    public PackedMatrix? RowRange(int start, int count) =>
        start % GroupRows == 0 ? new PackedMatrix(_owner, Group(start / GroupRows), count, Blocks) : null;

    private static void PutQ8_0(byte* source, byte* target, int row)
    {
        ((ushort*)target)[row] = *(ushort*)source;
        for (int c = 0; c < 32; c++)
            target[32 + c / 4 * 64 + row * 4 + c % 4] = (byte)(source[2 + c] ^ 0x80);
    }

    /// <summary>Low nibbles are columns 0–15, high ones 16–31; a nibble is the weight plus 8.</summary>
    private static void PutQ4_0(byte* source, byte* target, int row)
    {
        ((ushort*)target)[row] = *(ushort*)source;
        for (int c = 0; c < 32; c++)
        {
            int nibble = c < 16 ? source[2 + c] & 15 : source[2 + c - 16] >> 4;
            target[32 + c / 4 * 64 + row * 4 + c % 4] = (byte)(nibble + 120);
        }
    }
}
