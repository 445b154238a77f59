using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Chat;

/// <summary>
/// Reads the body of <c>POST /tokenizer</c> (spec: api.md §12.3): a chat request of which only what shapes the prompt
/// counts. That is <c>messages</c> and <c>tools</c> and, because they change what is written before the answer,
/// <c>tool_choice</c>, <c>thinking</c>, <c>reasoning_effort</c>, <c>meta</c> and <c>extra</c>. Without the latter the
/// defaults of the chat hold. Every other field is ignored, so that the body of a chat request can be sent as it is.
/// </summary>
public static class TokenizerRequestReader
{
    /// <summary>Reads and checks the fields; the first fault is the error. What does not shape the prompt has its default.</summary>
    public static (ChatCompletionRequest? Request, PlatformError? Error) Read(FieldReader body)
    {
        (string? requestId, string? userId, string? model) = ChatRequestReader.ReadIdentity(body);
        (bool? thinking, bool? clearThinking) = ChatRequestReader.ReadThinking(body);
        IReadOnlyList<WireTool> tools = ToolReader.ReadTools(body);
        var request = new ChatCompletionRequest
        {
            Model = model ?? "",
            RequestId = requestId,
            UserId = userId,
            Thinking = thinking,
            ClearThinking = clearThinking,
            ReasoningEffort = ChatRequestReader.ReadEffort(body),
            Tools = tools,
            ToolChoice = ToolReader.ReadChoice(body, tools),
            Meta = ChatRequestReader.ReadMeta(body),
            Extra = ChatRequestReader.ReadExtra(body),
            Messages = MessageReader.ReadMessages(body),
        };
        return body.Error is { } error ? (null, error) : (request, null);
    }
}
