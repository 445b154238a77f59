using System.Diagnostics.CodeAnalysis;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights;

/// <summary>One stored tensor: where its bytes lie and how to read them. Nothing is copied.</summary>
/// <param name="Name">The name in the file.</param>
/// <param name="Shape">Outermost dimension first, as PyTorch writes it (GGUF lists the reverse).</param>
/// <param name="Format">How the numbers are stored.</param>
/// <param name="Address">First byte, in memory that <paramref name="Owner"/> keeps mapped.</param>
/// <param name="ByteLength">Bytes of the whole tensor.</param>
/// <param name="Owner">Keeps the bytes mapped.</param>
public sealed record StoredTensor(string Name, long[] Shape, BlockFormat Format, nint Address, long ByteLength, object Owner)
{
    /// <summary>Numbers in the tensor.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>The bytes; for tensors under 2 GiB.</summary>
    public unsafe ReadOnlySpan<byte> Bytes => new((void*)Address, checked((int)ByteLength));

    /// <summary>All numbers as floats; for small tensors such as norms and biases.</summary>
    public float[] ToFloats()
    {
        float[] values = new float[checked((int)Count)];
        BlockCodecs.For(Format).Dequantise(Bytes, values);
        GC.KeepAlive(Owner);
        return values;
    }
}

/// <summary>The tensors of a checkpoint, in one file or many, mapped into memory.</summary>
public interface IWeightSource : IDisposable
{
    /// <summary>File or folder it was opened from.</summary>
    string Location { get; }

    /// <summary>Names of all tensors, as stored.</summary>
    IReadOnlyCollection<string> Names { get; }

    /// <summary>Whether the tensor is there; cheaper than <see cref="TryGet"/> where tensors are computed when asked for.</summary>
    bool Contains(string name) => TryGet(name, out _);

    /// <summary>Finds a tensor by its stored name.</summary>
    bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor);
}
