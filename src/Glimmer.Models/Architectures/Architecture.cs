using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;
using Glimmer.Models.Loading;

namespace Glimmer.Models.Architectures;

/// <summary>What distinguishes one architecture: the names it goes by, the parts of its configuration, and its layer.</summary>
internal abstract class Architecture
{
    /// <summary>Canonical name.</summary>
    public abstract string Name { get; }

    /// <summary><c>model_type</c> values of checkpoints.</summary>
    public abstract IReadOnlyList<string> ModelTypes { get; }

    /// <summary><c>general.architecture</c> values of GGUF files.</summary>
    public virtual IReadOnlyList<string> GgufArchitectures => [];

    /// <summary>Tensor names in GGUF files.</summary>
    public virtual ITensorNames GgufTensors => GgufNames.With();

    /// <summary>Tensor names in checkpoints.</summary>
    public virtual ITensorNames CheckpointTensors(IReadOnlyCollection<string> names) => new HuggingFaceNames(names);

    /// <summary>Reads the parts of the configuration this architecture has.</summary>
    public abstract ModelConfig ReadConfig(IConfigReader reader);

    /// <summary>Builds the builder's current trunk layer.</summary>
    public abstract DecoderLayer BuildLayer(LayerBuilder builder);

    /// <summary>Builds the decoder layer inside the next-n (MTP) layer.</summary>
    public virtual DecoderLayer BuildNextNLayer(LayerBuilder builder) => BuildLayer(builder);
}
