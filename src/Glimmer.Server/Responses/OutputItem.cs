using System.Buffers;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Platform.Responses;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.OpenAI;

namespace Glimmer.Server.Responses;

/// <summary>An item of a response's output.</summary>
/// <param name="Id">Its id.</param>
internal abstract record OutputItem(string Id)
{
    /// <summary>Whether it is complete; one that was cut off is not.</summary>
    public bool Complete { get; init; } = true;

    protected string Status => Complete ? "completed" : "incomplete";

    /// <summary>Writes the whole item.</summary>
    public abstract void Write(Utf8JsonWriter json);

    /// <summary>Writes it as it is when it begins.</summary>
    public abstract void WriteBegun(Utf8JsonWriter json);

    /// <summary>What it says: the text that a stream cuts into pieces.</summary>
    public abstract string Said { get; }

    /// <summary>Reads an item that <see cref="Write"/> wrote.</summary>
    public static OutputItem Read(JsonElement item)
    {
        string id = item.GetProperty("id").GetString()!;
        bool complete = item.GetProperty("status").ValueEquals("completed"u8);
        switch (item.GetProperty("type").GetString())
        {
            case "reasoning":
                bool summary = !item.TryGetProperty("content", out JsonElement content);
                string text = string.Concat((summary ? item.GetProperty("summary") : content).EnumerateArray().Select(static part => part.GetProperty("text").GetString()));
                return new ReasoningOutput(id, text, summary, item.TryGetProperty("encrypted_content", out JsonElement box) ? box.GetString() : null) { Complete = complete };
            case "message":
                JsonElement said = item.GetProperty("content")[0];
                IReadOnlyList<SaidToken> tokens = LogProbs.ReadList(said.GetProperty("logprobs"));
                return new MessageOutput(id, said.GetProperty("text").GetString()!, tokens.Count > 0 ? tokens : null) { Complete = complete };
            case var type:
                string name = item.GetProperty("name").GetString()!, call = item.GetProperty("call_id").GetString()!;
                NamespacedName? place = item.TryGetProperty("namespace", out JsonElement space) ? new NamespacedName(space.GetString()!, name) : null;
                bool custom = type == "custom_tool_call";
                return new CallOutput(id, call, name, item.GetProperty(custom ? "input" : "arguments").GetString()!, place) { Complete = complete, IsCustom = custom };
        }
    }

    /// <summary>Its JSON text.</summary>
    public StoredItem Stored()
    {
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
            Write(json);
        return new StoredItem(Id, Encoding.UTF8.GetString(body.WrittenSpan));
    }
}

/// <summary>Reasoning. Its text stands in <c>content</c>, or in <c>summary</c> when that was asked for.</summary>
internal sealed record ReasoningOutput(string Id, string Text, bool AsSummary, string? Sealed) : OutputItem(Id)
{
    /// <inheritdoc/>
    public override string Said => Text;

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json) => Write(json, AsSummary ? Text : null, AsSummary ? null : Text, Status);

    /// <inheritdoc/>
    public override void WriteBegun(Utf8JsonWriter json) => Write(json, null, null, "in_progress");

    private void Write(Utf8JsonWriter json, string? summary, string? content, string status)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, Id);
        json.WriteString("type"u8, "reasoning"u8);
        json.WriteStartArray("summary"u8);
        if (summary is not null)
            WritePart(json, "summary_text"u8, summary);
        json.WriteEndArray();
        if (!AsSummary)
        {
            json.WriteStartArray("content"u8);
            if (content is not null)
                WritePart(json, "reasoning_text"u8, content);
            json.WriteEndArray();
        }

        if (Sealed is not null)
            json.WriteString("encrypted_content"u8, Sealed);
        json.WriteString("status"u8, status);
        json.WriteEndObject();
    }

    /// <summary>Writes a part of it.</summary>
    public static void WritePart(Utf8JsonWriter json, ReadOnlySpan<byte> type, string text)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, type);
        json.WriteString("text"u8, text);
        json.WriteEndObject();
    }
}

/// <summary>A message with one text.</summary>
internal sealed record MessageOutput(string Id, string Text, IReadOnlyList<SaidToken>? Tokens) : OutputItem(Id)
{
    /// <inheritdoc/>
    public override string Said => Text;

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json)
    {
        WriteHead(json, Status);
        WritePart(json, Text, Tokens);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public override void WriteBegun(Utf8JsonWriter json)
    {
        WriteHead(json, "in_progress");
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes its part.</summary>
    public static void WritePart(Utf8JsonWriter json, string text, IReadOnlyList<SaidToken>? tokens)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "output_text"u8);
        json.WriteString("text"u8, text);
        json.WriteStartArray("annotations"u8);
        json.WriteEndArray();
        json.WritePropertyName("logprobs"u8);
        LogProbs.WriteList(json, tokens ?? []);
        json.WriteEndObject();
    }

    private void WriteHead(Utf8JsonWriter json, string status)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, Id);
        json.WriteString("type"u8, "message"u8);
        json.WriteString("status"u8, status);
        json.WriteString("role"u8, "assistant"u8);
        json.WriteStartArray("content"u8);
    }
}

/// <summary>A call of a function, or of a tool that takes free text.</summary>
internal sealed record CallOutput(string Id, string CallId, string Name, string Arguments, NamespacedName? Place) : OutputItem(Id)
{
    /// <summary>Whether it takes free text, which stands in the place of arguments.</summary>
    public bool IsCustom { get; init; }

    /// <inheritdoc/>
    public override string Said => Arguments;

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json) => Write(json, Arguments, Status);

    /// <inheritdoc/>
    public override void WriteBegun(Utf8JsonWriter json) => Write(json, "", "in_progress");

    private void Write(Utf8JsonWriter json, string arguments, string status)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, Id);
        json.WriteString("type"u8, IsCustom ? "custom_tool_call"u8 : "function_call"u8);
        json.WriteString("status"u8, status);
        json.WriteString("call_id"u8, CallId);
        json.WriteString("name"u8, Place?.Name ?? Name);
        if (Place is not null)
            json.WriteString("namespace"u8, Place.Namespace);
        json.WriteString(IsCustom ? "input"u8 : "arguments"u8, arguments);
        json.WriteEndObject();
    }
}
