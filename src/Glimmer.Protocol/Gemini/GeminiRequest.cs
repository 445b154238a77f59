using Glimmer.Protocol.Chat;

namespace Glimmer.Protocol.Gemini;

/// <summary>A request for an answer or a count.</summary>
/// <param name="Chat">It as the request that every dialect becomes.</param>
/// <param name="IncludeThoughts">Whether the client wants to see the reasoning.</param>
public sealed record GeminiRequest(ChatCompletionRequest Chat, bool IncludeThoughts);
