using System.Text;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>
/// Estimates tokens where a service does not count them: one token for every four bytes of UTF-8, rounded up, and four for each message around its text.
/// Pictures, films and sound count nothing.
/// </summary>
internal static class TokenEstimate
{
    private const int BytesPerToken = 4;
    private const int TokensPerMessage = 4;

    /// <summary>Tokens of so many bytes.</summary>
    public static int OfBytes(long bytes) => (int)Math.Min((bytes + BytesPerToken - 1) / BytesPerToken, int.MaxValue / 2);

    /// <summary>Tokens of a request's prompt.</summary>
    public static int OfPrompt(ChatRequest request) => OfBytes(BytesOfPrompt(request));

    /// <summary>Bytes of a request's prompt, with as many for each message as stand for the tokens around it.</summary>
    public static long BytesOfPrompt(ChatRequest request)
    {
        long bytes = 0;
        foreach (ChatMessage message in request.Conversation.Messages)
        {
            bytes += Bytes(message.ReasoningContent) + TokensPerMessage * BytesPerToken;
            foreach (ContentPart part in message.Content)
            {
                bytes += part switch
                {
                    TextPart text => Bytes(text.Text),
                    ToolOutputPart output => Bytes(output.Output),
                    ToolReferencePart reference => Bytes(reference.Name),
                    _ => 0,
                };
            }

            foreach (ToolCall call in message.ToolCalls)
                bytes += Bytes(call.Name) + Bytes(call.Arguments);
        }

        if (request.ToolChoice.Mode != ToolChoiceMode.None)
        {
            foreach (ToolDefinition tool in request.Conversation.Tools)
                bytes += Bytes(tool.Json.GetRawText());
        }

        return bytes;
    }

    /// <summary>Bytes of a text in UTF-8.</summary>
    public static long Bytes(string? text) => text is null ? 0 : Encoding.UTF8.GetByteCount(text);
}
