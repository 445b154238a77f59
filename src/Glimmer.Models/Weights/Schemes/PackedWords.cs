using System.Runtime.CompilerServices;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>Small unsigned integers packed into 32-bit words, lowest bits first.</summary>
internal sealed unsafe class PackedWords
{
    private readonly StoredTensor _tensor;
    private readonly long _columns;

    /// <param name="tensor">A matrix of I32.</param>
    /// <param name="bits">Bits of one integer: 2, 4 or 8.</param>
    public PackedWords(StoredTensor tensor, int bits)
    {
        _tensor = tensor;
        _columns = tensor.Shape[^1];
        Bits = bits;
        PerWord = 32 / bits;
        Mask = (1 << bits) - 1;
    }

    public int Bits { get; }

    public int PerWord { get; }

    public int Mask { get; }

    public static bool Accepts(StoredTensor tensor) => tensor.Format is BlockFormat.I32 or BlockFormat.U32 && tensor.Shape.Length == 2;

    /// <summary>The word at a row and column of the matrix.</summary>
    public uint Word(long row, long column)
    {
        uint word = Unsafe.ReadUnaligned<uint>((byte*)_tensor.Address + (row * _columns + column) * 4);
        GC.KeepAlive(_tensor);
        return word;
    }

    /// <summary>Integer <paramref name="index"/> of a row, packed along the row.</summary>
    public int AlongRow(long row, long index) => (int)(Word(row, index / PerWord) >> (int)(index % PerWord * Bits)) & Mask;

    /// <summary>Integer <paramref name="index"/> of a column, packed along the column.</summary>
    public int AlongColumn(long index, long column) => (int)(Word(index / PerWord, column) >> (int)(index % PerWord * Bits)) & Mask;
}
