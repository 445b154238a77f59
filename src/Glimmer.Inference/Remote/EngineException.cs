using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Remote;

/// <summary>An engine that refused, failed or could not be reached.</summary>
/// <param name="error">What to tell.</param>
/// <param name="fault">Whose fault it is.</param>
/// <param name="inner">The cause.</param>
internal sealed class EngineException(PlatformError error, StartFault fault, Exception? inner = null) : Exception(error.Message, inner)
{
    /// <summary>What to tell.</summary>
    public PlatformError Error { get; } = error;

    /// <summary>Whose fault it is.</summary>
    public StartFault Fault { get; } = fault;

    /// <summary>The HTTP status that the engine answered with; 0 when it did not answer.</summary>
    public int Status { get; init; }

    /// <summary>The engine could not be reached, broke off, or answered something that it must not.</summary>
    public static EngineException Failed(string problem, Exception? inner = null) =>
        new(new PlatformError(BusinessCode.Network, problem), StartFault.Backend, inner);
}
