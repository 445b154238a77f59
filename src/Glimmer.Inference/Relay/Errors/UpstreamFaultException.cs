namespace Glimmer.Inference.Relay.Errors;

/// <summary>A service broke its own protocol. Caught where the answer is read, and told as the fault of the backend.</summary>
/// <param name="message">What it did, the end of a sentence without its full stop; quotes nothing of the answer.</param>
internal sealed class UpstreamFaultException(string message) : Exception(message);
