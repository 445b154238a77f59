using Glimmer.Kernels;
using Glimmer.Models.Memory;

namespace Glimmer.Models;

/// <summary>What a loaded model is, in numbers that every architecture has.</summary>
/// <param name="Architecture">Name of the architecture, e.g. <c>glm4_moe</c>.</param>
/// <param name="VocabularySize">Rows of logits per token, padding rows included.</param>
/// <param name="HiddenSize">Width of the residual stream.</param>
/// <param name="Layers">Trunk layers, MTP layers not counted.</param>
/// <param name="ContextLength">Longest sequence the position encoding was made for.</param>
/// <param name="Parameters">Numbers in the weights.</param>
public sealed record ModelDescription(
    string Architecture,
    int VocabularySize,
    int HiddenSize,
    int Layers,
    int ContextLength,
    long Parameters);

/// <summary>Tokens in, logits out. One instance serves one pass at a time; weights are shared and never written.</summary>
/// <remarks>
/// The logits of a token depend on the tokens before it in its sequence and on nothing else: not on how the prompt was
/// cut into chunks, on what else is in the batch, on page numbers or on the number of threads. Tests hold every
/// architecture to that, bit for bit.
/// </remarks>
public abstract class LanguageModel : IDisposable
{
    /// <summary>What this model is.</summary>
    public abstract ModelDescription Description { get; }

    /// <summary>What it caches per token and per sequence.</summary>
    public abstract KvLayout KvLayout { get; }

    /// <summary>How its cache is stored unless its caller decides otherwise.</summary>
    public virtual KvFormat KvFormat => KvFormat.F32;

    /// <summary>The model's own draft layer (MTP), when the file has one and it was loaded; else null.</summary>
    public virtual IDraftModel? Draft => null;

    /// <summary>
    /// Runs one pass: writes the cache rows of every token of the batch, and the logits asked for into
    /// <see cref="ForwardBatch.ReserveLogits"/>. Token ids must be below <see cref="ModelDescription.VocabularySize"/>.
    /// </summary>
    public abstract void Forward(ForwardBatch batch, KvArena arena, ThreadTeam team);

    /// <summary>Releases scratch memory; mapped weights are released by their owner.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what the architecture holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
