using Glimmer.Kernels;

namespace Glimmer.Models.Layers;

/// <summary>Rows of the embedding matrix.</summary>
internal sealed unsafe class Embedding(WeightMatrix weight)
{
    /// <summary>The matrix, shape (vocabulary, hidden).</summary>
    public WeightMatrix Weight { get; } = weight;

    /// <summary>Writes the embedding of every row's token.</summary>
    public void Apply(ForwardPass pass, Rows y) =>
        pass.Parallel(y.Count, y.Width * 4, (Weight, Pass: pass, Y: y), static (s, row) => s.Weight.ReadRow(s.Pass.Token(row), new Span<float>(s.Y.Row(row), s.Y.Width)));
}
