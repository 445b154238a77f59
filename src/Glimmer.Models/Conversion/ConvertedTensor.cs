using Glimmer.Kernels;

namespace Glimmer.Models.Conversion;

/// <summary>A tensor of a GGUF file, put together from parts of a checkpoint's tensors, one under the other.</summary>
/// <param name="Name">Its name in GGUF.</param>
/// <param name="Shape">Outermost dimension first.</param>
/// <param name="Parts">Matrices whose rows follow each other; opened when the tensor is written, so that no two are in memory at once.</param>
/// <param name="KeepsPrecision">Whether it stays in single precision: norms, biases, routers.</param>
internal sealed record ConvertedTensor(string Name, long[] Shape, Func<IReadOnlyList<WeightMatrix>> Parts, bool KeepsPrecision)
{
    /// <summary>Numbers in a row.</summary>
    public int Columns => checked((int)Shape[^1]);

    /// <summary>Rows of all parts together.</summary>
    public long Rows => Shape.Aggregate(1L, (count, size) => checked(count * size)) / Shape[^1];
}
