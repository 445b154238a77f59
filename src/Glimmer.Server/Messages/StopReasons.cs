using Glimmer.Dialogue.Output;

namespace Glimmer.Server.Messages;

/// <summary>The Messages API's words for the ends of an answer (spec: api.md §23.1).</summary>
internal static class StopReasons
{
    /// <summary>The word.</summary>
    /// <param name="finish">Why it ended.</param>
    /// <param name="stopText">The stop sequence that ended it; null when none did.</param>
    public static string Of(FinishReason finish, string? stopText) => finish switch
    {
        FinishReason.Stop when stopText is not null => "stop_sequence",
        FinishReason.Stop => "end_turn",
        FinishReason.Length => "max_tokens",
        FinishReason.ToolCalls => "tool_use",
        FinishReason.ContextWindow => "model_context_window_exceeded",
        FinishReason.Sensitive => "refusal",
        _ => "error",
    };
}
