using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary>A message of a conversation (spec: api.md §6.2).</summary>
public sealed record Message : WireObject
{
    /// <summary><c>system</c>, <c>user</c>, <c>assistant</c> or <c>tool</c>.</summary>
    public required string Role { get; init; }

    /// <summary>What it says; may be null beside tool calls.</summary>
    public MessageContent? Content { get; init; }

    /// <summary>Reasoning of an assistant's message. Send it back unchanged where thinking is preserved.</summary>
    public string? ReasoningContent { get; init; }

    /// <summary>Calls of an assistant's message; null for none.</summary>
    public IReadOnlyList<ToolCall>? ToolCalls { get; init; }

    /// <summary>The call that a tool's message answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>Name of the speaker, where one is wanted.</summary>
    public string? Name { get; init; }

    /// <summary>A system message.</summary>
    public static Message System(string text) => new() { Role = "system", Content = text };

    /// <summary>A user's message.</summary>
    public static Message User(MessageContent content) => new() { Role = "user", Content = content };

    /// <summary>A user's message of a text.</summary>
    public static Message User(string text) => new() { Role = "user", Content = text };

    /// <summary>An assistant's message.</summary>
    public static Message Assistant(string text) => new() { Role = "assistant", Content = text };

    /// <summary>The result of a tool call.</summary>
    /// <param name="callId">Id of the call.</param>
    /// <param name="result">What the tool returned.</param>
    public static Message Tool(string callId, string result) => new() { Role = "tool", Content = result, ToolCallId = callId };
}

/// <summary>Content of a message: a text, or parts.</summary>
[JsonConverter(typeof(MessageContentConverter))]
public sealed record MessageContent
{
    /// <summary>A text.</summary>
    public MessageContent(string text) => Text = text;

    /// <summary>Parts.</summary>
    public MessageContent(IReadOnlyList<ContentPart> parts)
    {
        Parts = parts;
        Text = string.Concat(parts.Select(part => part.Text));
    }

    /// <summary>The text; of parts, their texts one after the other.</summary>
    public string Text { get; }

    /// <summary>The parts; null when the content is a text.</summary>
    public IReadOnlyList<ContentPart>? Parts { get; }

    /// <summary>A text as content.</summary>
    public static implicit operator MessageContent(string text) => new(text);

    /// <inheritdoc/>
    public override string ToString() => Text;
}

/// <summary>A part of a user's content (spec: api.md §6.3).</summary>
public sealed record ContentPart : WireObject
{
    /// <summary><c>text</c>, <c>image_url</c>, <c>video_url</c>, <c>file_url</c>, <c>input_audio</c> …</summary>
    public required string Type { get; init; }

    /// <summary>Text of a text part.</summary>
    public string? Text { get; init; }

    /// <summary>Image of an image part.</summary>
    public MediaAddress? ImageUrl { get; init; }

    /// <summary>Video of a video part.</summary>
    public MediaAddress? VideoUrl { get; init; }

    /// <summary>File of a file part.</summary>
    public MediaAddress? FileUrl { get; init; }

    /// <summary>Sound of an audio part.</summary>
    public AudioData? InputAudio { get; init; }

    /// <summary>A text.</summary>
    public static ContentPart OfText(string text) => new() { Type = "text", Text = text };

    /// <summary>An image.</summary>
    /// <param name="address">An http(s) address, a data URI, or base64.</param>
    public static ContentPart OfImage(string address) => new() { Type = "image_url", ImageUrl = new MediaAddress(address) };

    /// <summary>A video.</summary>
    /// <param name="address">An http(s) address, or a data URI.</param>
    public static ContentPart OfVideo(string address) => new() { Type = "video_url", VideoUrl = new MediaAddress(address) };

    /// <summary>A file.</summary>
    /// <param name="address">An http(s) address.</param>
    public static ContentPart OfFile(string address) => new() { Type = "file_url", FileUrl = new MediaAddress(address) };
}

/// <summary>Where a medium is.</summary>
/// <param name="Url">An http(s) address, a data URI, or base64.</param>
public sealed record MediaAddress(string Url);

/// <summary>A sound.</summary>
/// <param name="Data">Base64.</param>
/// <param name="Format"><c>wav</c> or <c>mp3</c>.</param>
public sealed record AudioData(string Data, string Format);

/// <summary>A call of a tool.</summary>
public sealed record ToolCall : WireObject
{
    /// <summary>Its id; a tool's message answers by it.</summary>
    public string Id
    {
        get => field ?? "";
        init;
    }

    /// <summary>Its place among the calls of the message; null when not told.</summary>
    public int? Index { get; init; }

    /// <summary><c>function</c>, or a kind of built-in tool.</summary>
    public string Type
    {
        get => field ?? "function";
        init;
    }

    /// <summary>The function and its arguments.</summary>
    public FunctionCall? Function { get; init; }
}

/// <summary>A function and its arguments.</summary>
public sealed record FunctionCall
{
    /// <summary>Name; null in the later pieces of a streamed call.</summary>
    public string? Name { get; init; }

    /// <summary>JSON text; in a stream, a piece of it.</summary>
    [JsonConverter(typeof(ArgumentsConverter))]
    public string? Arguments { get; init; }
}
