using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Body of OpenAI's older <c>POST /v1/completions</c>.</summary>
/// <param name="Prompts">Texts to go on with, at least one; each gets as many answers as asked for.</param>
/// <param name="Suffix">What comes after the answer, for models that fill gaps; null for nothing.</param>
/// <param name="Echo">Whether the prompt stands before the answer.</param>
/// <param name="Chat">The request for the first prompt.</param>
public sealed record CompletionsRequest(IReadOnlyList<string> Prompts, string? Suffix, bool Echo, ChatCompletionRequest Chat)
{
    /// <summary>The request for a prompt.</summary>
    public ChatCompletionRequest For(string prompt) => Chat with { Messages = CompletionsReader.Messages(prompt, Suffix), Extra = Suffix is null ? null : new WireCodeTarget(null, "", prompt, Suffix), ContinueLast = Suffix is null };
}

/// <summary>
/// Reads the body of OpenAI's older <c>POST /v1/completions</c>. The text becomes the beginning of the model's answer, which it goes on with; with a suffix it
/// is the code before a gap.
/// </summary>
public static class CompletionsReader
{
    private const int MaxLogProbs = 5;
    private const string PromptLegal = "Send a string, or a list of at most 16 strings";

    /// <summary>Reads and checks every field; the first fault is the error.</summary>
    public static (CompletionsRequest? Request, PlatformError? Error) Read(FieldReader body)
    {
        string? model = body.Text("model", required: true, min: 1, max: 256);
        IReadOnlyList<string> prompts = ReadPrompts(body);
        string? suffix = body.Text("suffix");
        long choices = body.Whole("n", 1, ChatRequestReader.MaxChoices) ?? 1;
        long? best = body.Whole("best_of", 1, 20);
        if (best is { } wanted && wanted != choices)
            body.Fail(PlatformError.Unsupported("best_of", "best_of", "every answer is given; send n, or leave it out"));
        if (prompts.Count * choices > ChatRequestReader.MaxChoices)
            body.Fail(PlatformError.Invalid("n", $"it asks for {prompts.Count * choices} answers", $"Ask for at most {ChatRequestReader.MaxChoices} over all prompts"));
        long? limit = body.Whole("max_tokens", 1, int.MaxValue);
        var chat = new ChatCompletionRequest
        {
            Dialect = WireDialect.OpenAI,
            Model = model ?? "",
            Messages = [],
            UserId = body.Text("user", max: 512),
            Stream = body.Flag("stream") ?? false,
            IncludeUsage = body.Object("stream_options", "Send an object such as {\"include_usage\":true}")?.Flag("include_usage") ?? false,
            Thinking = false,
            Choices = (int)choices,
            Temperature = body.Number("temperature", 0, 2),
            TopP = body.Number("top_p", 0, 1) is { } topP ? Math.Max(topP, 0.01) : null,
            MaxTokens = (int)Math.Min(limit ?? 16, ChatRequestReader.MaxMaxTokens),
            PresencePenalty = body.Number("presence_penalty", -2, 2),
            FrequencyPenalty = body.Number("frequency_penalty", -2, 2),
            LogitBias = ChatRequestReader.ReadBias(body),
            TopLogProbs = (int?)body.Whole("logprobs", 0, MaxLogProbs),
            Seed = body.Whole("seed", long.MinValue, long.MaxValue),
            Stop = body.Texts("stop", maxCount: 4, minLength: 1, maxLength: 4096) ?? [],
        };
        var request = new CompletionsRequest(prompts, suffix, body.Flag("echo") ?? false, chat);
        return body.Error is { } error ? (null, error) : (request, null);
    }

    internal static IReadOnlyList<WireMessage> Messages(string prompt, string? suffix) => suffix is null
        ? [Text(WireRole.User, "Continue the text."), Text(WireRole.Assistant, prompt)]
        : [Text(WireRole.User, "Fill the gap.")];

    private static WireMessage Text(WireRole role, string text) => new(role, [new WirePart(WirePartKind.Text, text)]);

    private static IReadOnlyList<string> ReadPrompts(FieldReader body)
    {
        if (!body.TryGet("prompt", out JsonElement prompt))
        {
            if (body.Error is null)
                body.Fail(PlatformError.Missing("prompt", PromptLegal));
            return [];
        }

        bool tokens = prompt.ValueKind == JsonValueKind.Array && prompt.EnumerateArray().Any(static item => item.ValueKind is JsonValueKind.Number or JsonValueKind.Array);
        if (tokens)
        {
            body.Fail(PlatformError.Unsupported("prompt", "token", "send the prompt as text"));
            return [];
        }

        if (body.Texts("prompt", ChatRequestReader.MaxChoices, 1, int.MaxValue) is not { } texts)
            return [];
        if (texts.Count == 0)
            body.Fail(PlatformError.Invalid("prompt", "it is an empty list", PromptLegal));
        return texts;
    }
}
