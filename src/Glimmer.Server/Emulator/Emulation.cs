using Glimmer.Inference.Script;

namespace Glimmer.Server.Emulator;

/// <summary>What makes a server a test double: it then tells and takes what tests need under <c>/emulator</c>.</summary>
/// <param name="Backend">The scenario being played.</param>
/// <param name="Clock">The server's clock; <see cref="Hosting.GlimmerServices.Time"/> must be the same.</param>
public sealed record Emulation(ScriptChatBackend Backend, VirtualClock Clock);
