using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Loading;

/// <summary>How a model is loaded.</summary>
public sealed record LoadOptions
{
    /// <summary>Loads the model's own draft (MTP) layer when the file has one. It costs its weights and its planes of the cache.</summary>
    public bool DraftLayer { get; init; } = true;

    /// <summary>
    /// Quantises matrices that are stored as F32, F16 or BF16 (or that a checkpoint's own quantisation scheme computes) to this
    /// format while loading; null leaves them as they are. Routers and a few other small matrices keep their precision, and so
    /// do matrices whose rows do not fill whole blocks.
    /// </summary>
    public BlockFormat? QuantiseTo { get; init; }

    /// <summary>
    /// Leaves weights in the mapped file, which is the usual way: loading takes no time, and the system can share and drop them. False copies them into
    /// memory: loading takes as long as reading, but a file that is written to or cut short later does no harm.
    /// </summary>
    public bool Mapped { get; init; } = true;

    /// <summary>
    /// How activations enter products with quantised weights. <see cref="ActivationMode.Exact"/> uses the weights as numbers; it loads
    /// at once and copies nothing. <see cref="ActivationMode.Int8"/> rounds activations to 8 bits and is several times faster; weights of formats
    /// that allow it are rearranged into a copy while loading. <see cref="ActivationMode.Auto"/> does the latter where the machine has vector kernels.
    /// </summary>
    public ActivationMode Activations { get; init; } = ActivationMode.Exact;

    /// <summary>
    /// How keys and values are cached. Null decides by the weights: half precision where any matrix is stored in less than single
    /// precision, else single precision. Models so small that a token takes less than 16 KiB of cache stay in single precision.
    /// </summary>
    public KvFormat? KvFormat { get; init; }

    /// <summary>
    /// Folder in which the rearranged weights of <see cref="ActivationMode.Int8"/> are kept, as large as the weights themselves, so that later starts map them instead of
    /// rearranging anew; null keeps none. A copy that does not fit the model's files, the options or this build, or is damaged, is replaced.
    /// </summary>
    public string? PackedFolder { get; init; }
}
