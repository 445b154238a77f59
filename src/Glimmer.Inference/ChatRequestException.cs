using Glimmer.Protocol.Errors;

namespace Glimmer.Inference;

/// <summary>A request that a backend can't use, where there is no other way to say so.</summary>
/// <param name="error">What is wrong with it.</param>
public sealed class ChatRequestException(PlatformError error) : Exception(error.Message)
{
    /// <summary>What is wrong with it.</summary>
    public PlatformError Error { get; } = error;
}
