using Glimmer.Dialogue.Output;

namespace Glimmer.Server.OpenAI;

/// <summary>OpenAI's words for the ends of an answer. A full context is a length; one that was cut off has no word and is an error.</summary>
internal static class ChatFinishWords
{
    /// <summary>The word.</summary>
    /// <param name="reason">The end.</param>
    /// <param name="legacyFunctions">Whether calls are answered in the first form.</param>
    public static string Of(FinishReason reason, bool legacyFunctions = false) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length or FinishReason.ContextWindow => "length",
        FinishReason.ToolCalls => legacyFunctions ? "function_call" : "tool_calls",
        FinishReason.Sensitive => "content_filter",
        _ => "error",
    };
}
