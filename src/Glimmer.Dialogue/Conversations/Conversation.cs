using System.Text.Json;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Conversations;

/// <summary>Who speaks. A dialect's <c>developer</c> is <see cref="System"/>, its <c>function</c> is <see cref="Tool"/>.</summary>
public enum ChatRole
{
    /// <summary>Instructions.</summary>
    System,

    /// <summary>The person.</summary>
    User,

    /// <summary>The model.</summary>
    Assistant,

    /// <summary>The result of a tool call.</summary>
    Tool,
}

/// <summary>A piece of a message.</summary>
public abstract record ContentPart;

/// <summary>Text.</summary>
/// <param name="Text">The characters, which are never read as control tokens.</param>
public sealed record TextPart(string Text) : ContentPart
{
    /// <summary>
    /// Whether a client put it into a list of parts as a plain string, which is no form of the API. Templates that look at
    /// the types of parts do not print it.
    /// </summary>
    public bool IsBare { get; init; }
}

/// <summary>A picture, film or sound; the renderer places its placeholder, the encoder fills it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Source">Reference that the backend resolves.</param>
public sealed record MediaPart(MediaKind Kind, string Source) : ContentPart;

/// <summary>Kinds of media in a message.</summary>
public enum MediaKind
{
    /// <summary>A still picture.</summary>
    Image,

    /// <summary>A film.</summary>
    Video,

    /// <summary>Sound.</summary>
    Audio,
}

/// <summary>A part of a tool message that names tools to show again (GLM-5.1 and later).</summary>
/// <param name="Name">The tool's name.</param>
public sealed record ToolReferencePart(string Name) : ContentPart;

/// <summary>One <c>{"output": …}</c> item of a tool message given as a list (GLM-4.5 and later).</summary>
/// <param name="Output">The text of that output.</param>
public sealed record ToolOutputPart(string Output) : ContentPart;

/// <summary>A call that the model made.</summary>
/// <param name="Id">Id of the call; results name it.</param>
/// <param name="Name">Function name.</param>
/// <param name="Arguments">The arguments as the client or the automaton wrote them: JSON text, normally of an object.</param>
public sealed record ToolCall(string Id, string Name, string Arguments);

/// <summary>One message.</summary>
public sealed record ChatMessage
{
    /// <summary>Who speaks.</summary>
    public required ChatRole Role { get; init; }

    /// <summary>The parts; empty for none (a dialect's <c>null</c>).</summary>
    public IReadOnlyList<ContentPart> Content { get; init; } = [];

    /// <summary>Whether the content came as a list of parts. It matters to the layout of tool results in one generation.</summary>
    public bool IsPartList { get; init; }

    /// <summary>What the model thought before this message; null when not given.</summary>
    public string? ReasoningContent { get; init; }

    /// <summary>Calls the model made in this message.</summary>
    public IReadOnlyList<ToolCall> ToolCalls { get; init; } = [];

    /// <summary>For tool messages: the call this answers; null when not given.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>A message of one text.</summary>
    public static ChatMessage OfText(ChatRole role, string text) => new() { Role = role, Content = [new TextPart(text)] };
}

/// <summary>A tool that the model may call.</summary>
/// <param name="Name">Function name.</param>
/// <param name="Json">
/// The whole tool object as the client sent it, because key order and unknown keys reach the model: wrapped in
/// <c>{"type":"function","function":…}</c>, or flat as the Responses API and some clients send it.
/// </param>
public sealed record ToolDefinition(string Name, JsonElement Json)
{
    /// <summary>The function itself: the wrapped object, or the flat one.</summary>
    public JsonElement Function =>
        Json.ValueKind == JsonValueKind.Object && JsonText.TryGet(Json, "function", out JsonElement function) && function.ValueKind == JsonValueKind.Object
            ? function
            : Json;

    /// <summary>Whether the function asks for <c>strict</c>: what its schema cannot enforce is then an error.</summary>
    public bool IsStrict => JsonText.TryGet(Function, "strict", out JsonElement strict) && strict.ValueKind == JsonValueKind.True;

    /// <summary>The schema of the arguments, when given.</summary>
    public JsonElement? Parameters =>
        Function.ValueKind == JsonValueKind.Object && JsonText.TryGet(Function, "parameters", out JsonElement parameters) && parameters.ValueKind != JsonValueKind.Null
            ? parameters
            : null;
}

/// <summary>What a template can be told.</summary>
public sealed record RenderOptions
{
    /// <summary>Whether the model thinks; null leaves it to the generation's default.</summary>
    public bool? EnableThinking { get; init; }

    /// <summary>Whether the reasoning of earlier turns is dropped; null leaves it to the generation's default.</summary>
    public bool? ClearThinking { get; init; }

    /// <summary>Effort level (GLM-5.2 and later); null leaves it to the default.</summary>
    public string? ReasoningEffort { get; init; }

    /// <summary>Whether the prompt ends with the opening of the model's answer.</summary>
    public bool AddGenerationPrompt { get; init; } = true;

    /// <summary>Whether the prompt ends inside the last message, for the model to continue it.</summary>
    public bool ContinueFinalMessage { get; init; }
}

/// <summary>Everything a renderer needs: messages, tools and options, whatever dialect they came in.</summary>
/// <param name="Messages">In order.</param>
/// <param name="Tools">Tools offered; empty for none.</param>
/// <param name="Options">Template options.</param>
public sealed record Conversation(
    IReadOnlyList<ChatMessage> Messages,
    IReadOnlyList<ToolDefinition> Tools,
    RenderOptions Options);
