using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>A tool that takes free text (<c>custom</c>), as the function with one argument that the model sees.</summary>
public static class CustomTool
{
    /// <summary>The argument that holds the text.</summary>
    public const string Argument = "input";

    /// <summary>The arguments that hold a text, as JSON text.</summary>
    public static string ArgumentsOf(string input)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString(Argument, input);
            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Writes the members of the function but for its name.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="tool">The tool.</param>
    internal static void Write(Utf8JsonWriter json, FieldReader tool)
    {
        string? pattern = PatternOf(tool);
        if (tool.Text("description") is { } description)
            json.WriteString("description"u8, description);
        json.WriteStartObject("parameters"u8);
        json.WriteString("type"u8, "object"u8);
        json.WriteStartObject("properties"u8);
        json.WriteStartObject(Argument);
        json.WriteString("type"u8, "string"u8);
        json.WriteString("description"u8, "Free text, in the form that the tool takes"u8);
        if (pattern is not null)
            json.WriteString("pattern"u8, pattern);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartArray("required"u8);
        json.WriteStringValue(Argument);
        json.WriteEndArray();
        json.WriteBoolean("additionalProperties"u8, false);
        json.WriteEndObject();
        if (pattern is not null)
            json.WriteBoolean("strict"u8, true);
    }

    /// <summary>The expression that the text must match from end to end; null for any text.</summary>
    private static string? PatternOf(FieldReader tool)
    {
        if (tool.Object("format", "Send an object such as {\"type\":\"text\"}") is not { } format || format.Word("type", true, "text", "grammar") != "grammar")
            return null;
        string? syntax = format.Word("syntax", true, "lark", "regex");
        string? definition = format.Text("definition", required: true, min: 1);
        if (syntax == "lark")
            format.Fail(PlatformError.Unsupported(format.PathOf("syntax"), "lark", "this server enforces regular expressions only; send \"regex\", or leave format out and describe the form"));
        return syntax == "regex" && definition is not null ? $"^(?:{definition})$" : null;
    }
}
