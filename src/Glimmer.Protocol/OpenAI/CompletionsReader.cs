using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Body of OpenAI's older <c>POST /v1/completions</c>.</summary>
/// <param name="Prompts">What to go on with, at least one; each gets as many answers as asked for.</param>
/// <param name="Echo">Whether the prompt stands before the answer.</param>
/// <param name="BestOf">How many answers are made of each prompt; the most likely are given, at least as many as are given.</param>
/// <param name="Chat">Everything else. Its choices are how many answers of each prompt are given.</param>
public sealed record CompletionsRequest(IReadOnlyList<WireRawPrompt> Prompts, bool Echo, int BestOf, ChatCompletionRequest Chat)
{
    /// <summary>The request for a prompt: all answers to be made, with the probabilities that decide between them.</summary>
    public ChatCompletionRequest For(WireRawPrompt prompt) => Chat with { Raw = prompt, Choices = BestOf, TopLogProbs = Chat.TopLogProbs ?? (BestOf > Chat.Choices ? 0 : null) };
}

/// <summary>
/// Reads the body of OpenAI's older <c>POST /v1/completions</c>. The model goes on with the text as it stands; with a suffix it fills the gap between both.
/// </summary>
public static class CompletionsReader
{
    private const int MaxLogProbs = 5;

    /// <summary>Reads and checks every field; the first fault is the error.</summary>
    public static (CompletionsRequest? Request, PlatformError? Error) Read(FieldReader body)
    {
        string? model = body.Text("model", required: true, min: 1, max: 256);
        string? suffix = body.Text("suffix");
        IReadOnlyList<WireRawPrompt> prompts = RawPromptReader.Read(body, "prompt", ChatRequestReader.MaxChoices, suffix is { Length: > 0 } ? suffix : null);
        long choices = body.Whole("n", 1, ChatRequestReader.MaxChoices) ?? 1;
        long best = body.Whole("best_of", 1, 20) ?? choices;
        bool stream = body.Flag("stream") ?? false;
        if (best < choices)
            body.Fail(PlatformError.Invalid("best_of", $"it is {best}, less than n", $"Send {choices} or more, or leave it out"));
        if (best > choices && stream)
            body.Fail(PlatformError.Invalid("best_of", "an answer that is streamed cannot be chosen afterwards", "Leave it out, or set stream to false"));
        if (prompts.Count * best > ChatRequestReader.MaxChoices)
        {
            string field = best > choices ? "best_of" : "n";
            body.Fail(PlatformError.Invalid(field, $"it asks for {prompts.Count * best} answers", $"Ask for at most {ChatRequestReader.MaxChoices} over all prompts"));
        }

        long? limit = body.Whole("max_tokens", 1, int.MaxValue);
        var chat = new ChatCompletionRequest
        {
            Dialect = WireDialect.OpenAI,
            Model = model ?? "",
            Messages = [],
            UserId = body.Text("user", max: 512),
            Stream = stream,
            IncludeUsage = body.Object("stream_options", "Send an object such as {\"include_usage\":true}")?.Flag("include_usage") ?? false,
            Thinking = false,
            Choices = (int)choices,
            Temperature = body.Number("temperature", 0, 2),
            TopP = body.Number("top_p", 0, 1) is { } topP ? Math.Max(topP, 0.01) : null,
            TopK = (int?)body.Whole("top_k", 0, int.MaxValue),
            MinP = body.Number("min_p", 0, 1),
            RepetitionPenalty = body.Number("repetition_penalty", 0.01, 10),
            MaxTokens = (int)Math.Min(limit ?? 16, ChatRequestReader.MaxMaxTokens),
            PresencePenalty = body.Number("presence_penalty", -2, 2),
            FrequencyPenalty = body.Number("frequency_penalty", -2, 2),
            LogitBias = ChatRequestReader.ReadBias(body),
            TopLogProbs = (int?)body.Whole("logprobs", 0, MaxLogProbs),
            Seed = body.Whole("seed", long.MinValue, long.MaxValue),
            Stop = body.Texts("stop", maxCount: 4, minLength: 1, maxLength: 4096) ?? [],
        };
        var request = new CompletionsRequest(prompts, body.Flag("echo") ?? false, (int)best, chat);
        return body.Error is { } error ? (null, error) : (request, null);
    }
}
