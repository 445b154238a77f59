using Glimmer.Engine;

namespace Glimmer.Inference.Embedded;

/// <summary>A backend that runs an engine in this process and can say what it does.</summary>
public interface IEngineReport
{
    /// <summary>What the engine did up to its last pass; null while the model is not in memory. Never blocks the engine.</summary>
    EngineStatistics? EngineStatistics { get; }
}
