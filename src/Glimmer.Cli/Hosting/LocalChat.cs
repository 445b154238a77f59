using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Inference;
using Glimmer.Inference.Embedded;
using Glimmer.Models.Loading;

namespace Glimmer.Cli.Hosting;

/// <summary>What the commands that talk to a model in this process let the user choose.</summary>
internal sealed record LocalChatOptions
{
    /// <summary>Whether the model thinks; null for its default.</summary>
    public bool? Think { get; init; }

    /// <summary>Sampling temperature; null for the model's, 0 for greedy.</summary>
    public double? Temperature { get; init; }

    /// <summary>Seed; null for a fresh one each time.</summary>
    public long? Seed { get; init; }

    /// <summary>Most tokens of an answer; null for no limit of its own.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Whether the answer must be a JSON object.</summary>
    public bool Json { get; init; }

    /// <summary>Tools to offer.</summary>
    public IReadOnlyList<ToolDefinition> Tools { get; init; } = [];
}

/// <summary>One conversation with a model in this process.</summary>
/// <param name="backend">The model.</param>
/// <param name="options">How to ask.</param>
internal sealed class LocalChat(EmbeddedChatBackend backend, LocalChatOptions options)
{
    /// <summary>The messages so far.</summary>
    public List<ChatMessage> Messages { get; } = [];

    /// <summary>How to ask from now on.</summary>
    public LocalChatOptions Options { get; set; } = options;

    /// <summary>Cost of the last answer.</summary>
    public ChatUsage LastUsage { get; private set; }

    /// <summary>
    /// Asks for the next answer, hands every event on, and keeps the answer as a message. A cancelled answer is kept as
    /// far as it came.
    /// </summary>
    /// <returns>Why it ended, or the error that kept it from beginning.</returns>
    public async Task<(FinishReason Finish, string? Error)> AnswerAsync(Action<ChatEvent> onEvent, CancellationToken cancel)
    {
        ChatRequest request = new()
        {
            Model = backend.Models[0],
            Conversation = new Conversation(Messages, Options.Tools, new RenderOptions { EnableThinking = Options.Think, ClearThinking = false }),
            Sampling = Sampling(),
            MaxTokens = Options.MaxTokens,
            Format = Options.Json ? AnswerFormat.JsonObject : AnswerFormat.Text,
        };
        ChatStart start = await backend.StartAsync(request, CancellationToken.None);
        if (start.Answer is null)
            return (FinishReason.BackendFault, start.Error!.Message);
        MessageBuilder message = new();
        try
        {
            await foreach (ChatEvent said in start.Answer.ReadAsync(cancel))
            {
                message.Add(said);
                onEvent(said);
            }
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C: what was said so far stays in the conversation.
        }

        LastUsage = start.Answer.Usage;
        Messages.Add(new ChatMessage
        {
            Role = ChatRole.Assistant,
            Content = message.Content is { } text ? [new TextPart(text)] : [],
            ReasoningContent = message.Reasoning,
            ToolCalls = [.. message.Calls.Select((call, index) => new ToolCall($"call_{Messages.Count}_{index}", call.Name, call.Arguments))],
        });
        return (cancel.IsCancellationRequested ? FinishReason.Cancelled : start.Answer.Finish, null);
    }

    private SamplingOptions Sampling()
    {
        GenerationDefaults defaults = backend.Package.Defaults;
        return new SamplingOptions
        {
            Greedy = Options.Temperature == 0,
            Temperature = (float)(Options.Temperature is > 0 and { } asked ? asked : defaults.Temperature ?? 1),
            TopP = (float)(defaults.TopP ?? 1),
            TopK = defaults.TopK ?? 0,
            MinP = (float)(defaults.MinP ?? 0),
            RepetitionPenalty = (float)(defaults.RepetitionPenalty ?? 1),
            Seed = (ulong?)Options.Seed,
        };
    }
}
