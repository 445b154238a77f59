using Glimmer.Inference.Backends;

namespace Glimmer.Inference.Relay.Requests;

/// <summary>How a service is told whether to think.</summary>
internal enum ThinkingForm
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary><c>thinking: {type, clear_thinking, budget_tokens}</c>.</summary>
    Native,

    /// <summary><c>chat_template_kwargs: {enable_thinking, …}</c>, what the template of the model is told.</summary>
    TemplateArguments,
}

/// <summary>How a service is told of a regular expression or a grammar.</summary>
internal enum GrammarForm
{
    /// <summary>It can't be.</summary>
    None,

    /// <summary><c>response_format: {type: regex | grammar}</c>.</summary>
    ResponseFormat,

    /// <summary><c>structured_outputs: {regex | grammar}</c>.</summary>
    StructuredOutputs,

    /// <summary><c>regex</c> or <c>ebnf</c>.</summary>
    Fields,

    /// <summary><c>grammar</c>; no regular expressions.</summary>
    GrammarField,
}

/// <summary>How a service is told to go on with the last message.</summary>
internal enum ContinuationForm
{
    /// <summary>It can't be.</summary>
    None,

    /// <summary>By the last message being the assistant's.</summary>
    LastMessage,

    /// <summary><c>continue_final_message</c>.</summary>
    Field,
}

/// <summary>Which fields a service with chat completions is sent. Strict services refuse fields that they don't know, so each kind gets what it has.</summary>
internal sealed record CompletionsFields
{
    /// <summary>Name of the limit of tokens.</summary>
    public string MaxTokens { get; init; } = "max_tokens";

    /// <summary>Whether usage must be asked for.</summary>
    public bool UsageOption { get; init; } = true;

    /// <summary>Form of the thinking switch.</summary>
    public ThinkingForm Thinking { get; init; }

    /// <summary>Whether <c>reasoning_effort</c> is a field of its own, and its largest word.</summary>
    public string? LargestEffort { get; init; }

    /// <summary>Whether earlier reasoning goes back as <c>reasoning_content</c>.</summary>
    public bool EarlierReasoning { get; init; }

    /// <summary>Whether the platform's own fields are known: <c>do_sample</c>, <c>tool_stream</c>, <c>request_id</c>, <c>user_id</c>.</summary>
    public bool Native { get; init; }

    /// <summary>Whether <c>top_k</c> and <c>min_p</c> are known.</summary>
    public bool MoreSampling { get; init; }

    /// <summary>Whether what is left out is not 1 or nothing, but what the engine or its model's file says.</summary>
    public bool OwnDefaults { get; init; }

    /// <summary>The number that stands for all tokens in <c>top_k</c>.</summary>
    public int TopKOff { get; init; } = -1;

    /// <summary>Name of the penalty of repetition; null for none.</summary>
    public string? RepetitionPenalty { get; init; }

    /// <summary>Whether a tool goes out as the client wrote it, unknown keys included.</summary>
    public bool ToolsAsWritten { get; init; }

    /// <summary>Whether a message of calls alone has null for its content; templates of models print the word, strict services refuse the empty text.</summary>
    public bool NullContent { get; init; }

    /// <summary>Whether films are taken.</summary>
    public bool Videos { get; init; }

    /// <summary>Whether a picture may be bare base64.</summary>
    public bool BareBase64 { get; init; }

    /// <summary>Form of expressions and grammars.</summary>
    public GrammarForm Grammars { get; init; }

    /// <summary>Form of continuations.</summary>
    public ContinuationForm Continuation { get; init; }

    /// <summary>Most stop texts.</summary>
    public int MaxStops { get; init; } = 4;

    /// <summary>Largest temperature; a larger one is lowered.</summary>
    public float MaxTemperature { get; init; } = 2;

    /// <summary>The fields of a service.</summary>
    public static CompletionsFields Of(BackendDefinition definition) => definition.Kind switch
    {
        BackendKind.Zai => new CompletionsFields
        {
            UsageOption = false,
            Thinking = ThinkingForm.Native,
            LargestEffort = "max",
            EarlierReasoning = true,
            Native = true,
            MoreSampling = true,
            RepetitionPenalty = "repetition_penalty",
            ToolsAsWritten = true,
            Videos = true,
            BareBase64 = true,
            Grammars = GrammarForm.ResponseFormat,
            MaxTemperature = 1,
        },
        BackendKind.Vllm or BackendKind.SGLang => new CompletionsFields
        {
            Thinking = ThinkingForm.TemplateArguments,
            EarlierReasoning = true,
            MoreSampling = true,
            OwnDefaults = true,
            RepetitionPenalty = "repetition_penalty",
            ToolsAsWritten = true,
            Videos = true,
            Grammars = definition.Kind == BackendKind.Vllm ? GrammarForm.StructuredOutputs : GrammarForm.Fields,
            Continuation = ContinuationForm.Field,
            MaxStops = 64,
        },
        BackendKind.LlamaServer => new CompletionsFields
        {
            Thinking = ThinkingForm.TemplateArguments,
            EarlierReasoning = true,
            MoreSampling = true,
            OwnDefaults = true,
            TopKOff = 0,
            RepetitionPenalty = "repeat_penalty",
            ToolsAsWritten = true,
            Grammars = GrammarForm.GrammarField,
            Continuation = ContinuationForm.LastMessage,
            MaxStops = 64,
        },
        _ => new CompletionsFields
        {
            // OpenAI's own service has renamed the limit, and its newer models refuse the old name; nobody else demands the new one.
            MaxTokens = IsOpenAI(definition.Url.Host) ? "max_completion_tokens" : "max_tokens",
            LargestEffort = "high",
            NullContent = true,
        },
    };

    private static bool IsOpenAI(string host) =>
        host.EndsWith(".openai.com", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".openai.azure.com", StringComparison.OrdinalIgnoreCase);
}
