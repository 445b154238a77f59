namespace Glimmer.Cli.Hub;

/// <summary>A download that cannot go on, with what the user can do about it.</summary>
/// <param name="message">What happened and what helps.</param>
/// <param name="inner">The cause, when there is one.</param>
internal sealed class HubException(string message, Exception? inner = null) : Exception(message, inner);
