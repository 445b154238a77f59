using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary>A tool that a model may call (spec: api.md §6.5).</summary>
public sealed record Tool : WireObject
{
    /// <summary><c>function</c>, <c>web_search</c>, <c>retrieval</c> or <c>mcp</c>.</summary>
    public string Type
    {
        get => field ?? "function";
        init;
    }

    /// <summary>The function, for <c>function</c>.</summary>
    public FunctionDefinition? Function { get; init; }

    /// <summary>Options, for <c>web_search</c>.</summary>
    public JsonObject? WebSearch { get; init; }

    /// <summary>Options, for <c>retrieval</c>.</summary>
    public JsonObject? Retrieval { get; init; }

    /// <summary>Options, for <c>mcp</c>.</summary>
    public JsonObject? Mcp { get; init; }

    /// <summary>A function.</summary>
    /// <param name="name">1 to 64 of letters, digits, <c>_</c> and <c>-</c>.</param>
    /// <param name="description">What it does, for the model.</param>
    /// <param name="parameters">JSON schema of its arguments; null for none.</param>
    public static Tool OfFunction(string name, string? description = null, JsonObject? parameters = null) =>
        new() { Function = new FunctionDefinition { Name = name, Description = description, Parameters = parameters } };
}

/// <summary>A function as the model sees it.</summary>
public sealed record FunctionDefinition
{
    /// <summary>1 to 64 of letters, digits, <c>_</c> and <c>-</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it does.</summary>
    public string? Description { get; init; }

    /// <summary>JSON schema of its arguments.</summary>
    public JsonObject? Parameters { get; init; }
}

/// <summary>Whether and which tools must be called: a word or a function.</summary>
[JsonConverter(typeof(ToolChoice.ToolChoiceConverter))]
public sealed record ToolChoice
{
    private ToolChoice(string mode, string? name = null)
    {
        Mode = mode;
        Name = name;
    }

    /// <summary><c>auto</c>, <c>none</c>, <c>required</c> or <c>function</c>.</summary>
    public string Mode { get; }

    /// <summary>The function that must be called, for <c>function</c>.</summary>
    public string? Name { get; }

    /// <summary>The model decides.</summary>
    public static ToolChoice Auto { get; } = new("auto");

    /// <summary>No calls.</summary>
    public static ToolChoice None { get; } = new("none");

    /// <summary>At least one call.</summary>
    public static ToolChoice Required { get; } = new("required");

    /// <summary>A call of one function.</summary>
    public static ToolChoice Function(string name) => new("function", name);

    internal sealed class ToolChoiceConverter : JsonConverter<ToolChoice>
    {
        public override ToolChoice? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.String)
                return new ToolChoice(reader.GetString()!);
            using JsonDocument value = JsonDocument.ParseValue(ref reader);
            return value.RootElement.TryGetProperty("function", out JsonElement function) && function.TryGetProperty("name", out JsonElement name)
                ? Function(name.GetString() ?? "")
                : throw new JsonException("A tool choice is neither a word nor a function.");
        }

        public override void Write(Utf8JsonWriter writer, ToolChoice value, JsonSerializerOptions options)
        {
            if (value.Name is null)
            {
                writer.WriteStringValue(value.Mode);
                return;
            }

            writer.WriteStartObject();
            writer.WriteString("type"u8, "function"u8);
            writer.WriteStartObject("function"u8);
            writer.WriteString("name"u8, value.Name);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
    }
}
