using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Engine.Packages;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>A model that a host loads when it is asked for.</summary>
/// <param name="Code">Code it answers under.</param>
/// <param name="Path">GGUF file or checkpoint folder.</param>
public sealed record HostedModel(string Code, string Path)
{
    /// <summary>How it is loaded. Its own code counts for nothing: <see cref="Code"/> does.</summary>
    public PackageOptions Package { get; init; } = new();

    /// <summary>How its engine uses the machine.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>What may be mended in malformed calls.</summary>
    public Repairs Repairs { get; init; } = Repairs.All;
}
