using Glimmer.Kernels;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>
/// A weight that a checkpoint keeps in several tensors (codes, scales, zero points …), which together give one matrix of floats.
/// </summary>
/// <param name="location">The checkpoint, for messages.</param>
/// <param name="name">The weight's plain name, e.g. <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
internal abstract class QuantisedTensor(string location, string name)
{
    // Rows are handed to several threads from this many numbers on; below it is not worth starting them.
    private const long ParallelFrom = 1 << 18;

    /// <summary>The plain name.</summary>
    public string Name => name;

    /// <summary>Shape of the weight, outermost first; the last two dimensions are outputs and inputs.</summary>
    public abstract long[] Shape { get; }

    /// <summary>Bytes of the file that <see cref="Open"/> goes on reading.</summary>
    public abstract long MappedBytes { get; }

    /// <summary>Bytes that <see cref="Open"/> takes in memory of its own.</summary>
    public abstract long CopiedBytes { get; }

    /// <summary>The weight as rows that are computed when they are read: about as large as in the file, and equal to <see cref="Dequantise"/> bit for bit.</summary>
    /// <exception cref="ModelFileException">The parts do not fit each other.</exception>
    public abstract RowSource Open();

    /// <summary>Computes the weight into memory of its own.</summary>
    /// <exception cref="ModelFileException">The parts do not fit each other.</exception>
    public unsafe StoredTensor Dequantise()
    {
        long[] shape = Shape;
        long columns = shape[^1], count = shape.Aggregate(1L, (product, size) => checked(product * size));
        if (columns > int.MaxValue)
            throw Fault($"has rows of {columns} numbers");
        long rows = columns == 0 ? 0 : count / columns;
        Prepare();
        NativeFloats memory = new(count);
        float* start = memory.Start;
        if (count < ParallelFrom)
        {
            for (long row = 0; row < rows; row++)
                DequantiseRow(row, new Span<float>(start + row * columns, (int)columns));
        }
        else
        {
            Parallel.For(0L, rows, row => DequantiseRow(row, new Span<float>(start + row * columns, (int)columns)));
        }

        GC.KeepAlive(memory);
        return new StoredTensor(name, shape, Kernels.Formats.BlockFormat.F32, (nint)start, count * sizeof(float), memory);
    }

    /// <summary>Reads scales and the like, once, before rows are computed; until then nothing but shapes was looked at.</summary>
    protected abstract void Prepare();

    /// <summary>Computes one row (counted over all leading dimensions). Called from several threads.</summary>
    protected abstract void DequantiseRow(long row, Span<float> values);

    /// <summary>An error about this weight.</summary>
    protected ModelFileException Fault(string fault) => new(location, $"quantised weight '{name}' {fault}");

    /// <summary>Checks the shape of a part; −1 stands for any size.</summary>
    protected void RequireShape(StoredTensor part, params ReadOnlySpan<long> shape)
    {
        bool fits = part.Shape.Length == shape.Length;
        for (int i = 0; fits && i < shape.Length; i++)
            fits = shape[i] < 0 || part.Shape[i] == shape[i];
        if (!fits)
            throw Fault($"needs '{part.Name}' of shape [{string.Join(", ", shape.ToArray().Select(size => size < 0 ? "*" : size.ToString()))}], but it is [{string.Join(", ", part.Shape)}]");
    }

    /// <summary>Checks the number type of a part.</summary>
    protected void RequireFormat(StoredTensor part, params ReadOnlySpan<Kernels.Formats.BlockFormat> formats)
    {
        if (!formats.Contains(part.Format))
            throw Fault($"needs '{part.Name}' as {string.Join(" or ", formats.ToArray())}, but it is {part.Format}");
    }

    /// <summary>Reads a scale tensor, which must be of a float type and hold finite numbers only.</summary>
    protected float[] ReadScales(StoredTensor part)
    {
        RequireFormat(part, Kernels.Formats.BlockFormat.F32, Kernels.Formats.BlockFormat.F16, Kernels.Formats.BlockFormat.BF16, Kernels.Formats.BlockFormat.F8_E8M0);
        float[] scales = part.ToFloats();
        int odd = Array.FindIndex(scales, scale => !float.IsFinite(scale));
        return odd < 0 ? scales : throw Fault($"has the scale {scales[odd]} at index {odd} of '{part.Name}'");
    }
}
