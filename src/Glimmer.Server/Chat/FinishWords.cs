using Glimmer.Dialogue.Output;

namespace Glimmer.Server.Chat;

/// <summary>The native dialect's words for the ends of an answer (spec: api.md §6.8).</summary>
internal static class FinishWords
{
    /// <summary>The word. An answer that a fault or a shutdown cut off is a <c>network_error</c>.</summary>
    public static string Of(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.ToolCalls => "tool_calls",
        FinishReason.ContextWindow => "model_context_window_exceeded",
        FinishReason.Sensitive => "sensitive",
        _ => "network_error",
    };
}
