using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Gemini;

/// <summary>
/// Reads <c>contents</c>. Contents of the model that follow each other are one message: clients keep a stream as they heard it, piece by piece. A result of a
/// function is a message of its own and belongs to the call of its id, or to the first of its name that has none yet.
/// </summary>
internal sealed class GeminiContentReader
{
    private const string Legal = "Send an object such as {\"role\":\"user\",\"parts\":[{\"text\":\"…\"}]}";

    private static readonly FrozenSet<string> _contentNames = FrozenSet.Create(StringComparer.Ordinal, "role", "parts");

    private readonly List<WireMessage> _messages;
    private readonly GeminiCalls _calls = new();
    private Turn? _turn;

    private GeminiContentReader(List<WireMessage> messages) => _messages = messages;

    /// <summary>Appends the messages.</summary>
    /// <param name="body">The request.</param>
    /// <param name="messages">Where to.</param>
    /// <param name="needsUser">Whether one of them must be the user's.</param>
    /// <returns>Whether the last message is the model's own, for it to go on with.</returns>
    public static bool Read(FieldReader body, List<WireMessage> messages, bool needsUser)
    {
        if (body.ObjectsOrOne("contents", Legal, required: true) is not { } items)
            return false;
        var reader = new GeminiContentReader(messages);
        foreach (FieldReader item in items)
        {
            reader.ReadContent(item);
            if (item.Error is not null)
                return false;
        }

        reader.EndTurn();
        bool none = needsUser ? !messages.Exists(message => message.Role is WireRole.User or WireRole.Tool) : items.Count == 0;
        if (none)
            body.Fail(PlatformError.Invalid("contents", items.Count == 0 ? "it is an empty list" : "nothing in it is the user's", "Send at least one content of the role user"));
        return messages is [.., { Role: WireRole.Assistant, ToolCalls.Count: 0 }];
    }

    /// <summary>The text of a content that may hold nothing else: instructions, a text to embed.</summary>
    public static string? ReadText(FieldReader content)
    {
        content.Know(_contentNames);
        StringBuilder text = new();
        foreach (FieldReader part in content.ObjectsOrOne("parts", Legal, required: true) ?? [])
        {
            part.Know(GeminiPartReader.Names);
            if (part.Text("text") is not { } said)
            {
                part.Fail(PlatformError.Invalid(part.Path, "it is no text", "Send parts with text only"));
                return null;
            }

            text.Append(said);
        }

        return text.ToString();
    }

    private void ReadContent(FieldReader item)
    {
        item.Know(_contentNames);
        string role = item.Word("role", false, "user", "model", "function") ?? "user";
        IReadOnlyList<FieldReader>? parts = item.ObjectsOrOne("parts", "Send a list of objects such as {\"text\":\"…\"}");
        if (item.Error is not null)
            return;
        if (role == "model")
        {
            foreach (FieldReader part in parts ?? [])
                ReadModelPart(part);
            return;
        }

        EndTurn();
        List<WirePart> said = [];
        bool results = false;
        foreach (FieldReader part in parts ?? [])
        {
            part.Know(GeminiPartReader.Names);
            string response = part.Spelt("functionResponse");
            if (part.Has(response))
            {
                ReadResult(part, response);
                results = true;
            }
            else if (part.Has(part.Spelt("functionCall")))
            {
                part.Fail(PlatformError.Invalid(part.PathOf("functionCall"), "calls are the model's", "Send it in a content of the role model"));
            }
            else if (GeminiPartReader.Read(part) is { } read)
            {
                said.Add(read);
            }

            if (item.Error is not null)
                return;
        }

        if (said.Count > 0)
            _messages.Add(new WireMessage(WireRole.User, said));
        else if (!results)
            item.Fail(PlatformError.Invalid(item.PathOf("parts"), "it is empty", "Send at least one part, such as {\"text\":\"…\"}"));
    }

    private void ReadModelPart(FieldReader part)
    {
        part.Know(GeminiPartReader.Names);
        _turn ??= new Turn();
        if (part.Text(part.Spelt("thoughtSignature")) is { } signature && GeminiThought.TryRead(signature) is { } signed)
            _turn.Signed ??= signed;
        string call = part.Spelt("functionCall");
        if (part.Has(call))
            ReadCall(part, call, _turn);
        else if (part.Flag("thought") == true)
            _turn.Thought.Append(part.Text("text"));
        else if (part.Has(part.Spelt("functionResponse")))
            part.Fail(PlatformError.Invalid(part.PathOf("functionResponse"), "results are the user's", "Send it in a content of the role user"));
        else if (GeminiPartReader.Read(part) is { } read)
            _turn.Parts.Add(read);
    }

    private void ReadCall(FieldReader part, string member, Turn turn)
    {
        if (part.Object(member, "Send an object such as {\"name\":\"…\",\"args\":{}}") is not { } call)
            return;
        call.Know(GeminiPartReader.CallNames);
        string? id = call.Text("id", max: 256);
        string? name = call.Text("name", required: true, min: 1, max: 256);
        FieldReader? arguments = call.Object("args", "Send the arguments as an object");
        if (name is null || call.Error is not null)
            return;
        turn.Calls.Add(new WireToolCall(_calls.Add(id, name), name, arguments?.Element.GetRawText() ?? "{}"));
    }

    private void ReadResult(FieldReader part, string member)
    {
        if (part.Object(member, "Send an object such as {\"name\":\"…\",\"response\":{\"output\":\"…\"}}") is not { } result)
            return;
        result.Know(GeminiPartReader.ResultNames);
        string? id = result.Text("id", max: 256);
        string? name = result.Text("name", required: id is not { Length: > 0 }, max: 256);
        List<WirePart> parts = [];
        if (result.Object("response", "Send the result as an object, such as {\"output\":\"…\"}") is { } response)
            parts.Add(new WirePart(WirePartKind.Text, TextOf(response.Element)));
        foreach (FieldReader inner in result.ObjectsOrOne("parts", "Send objects such as {\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"…\"}}") ?? [])
        {
            inner.Know(GeminiPartReader.Names);
            if (GeminiPartReader.Read(inner) is { } read)
                parts.Add(read);
        }

        if (result.Error is not null)
            return;
        if (_calls.Take(id, name) is { } call)
            _messages.Add(new WireMessage(WireRole.Tool, parts) { ToolCallId = call });
        else
            result.Fail(PlatformError.Invalid(
                result.Path, $"no functionCall before has the {(name is null ? $"id \"{Short(id!)}\"" : $"name \"{Short(name)}\"")} and no result yet", "Send the content of the model with that functionCall first"));
    }

    /// <summary>What the model is told: the output where the object says it under that name alone, else the whole object.</summary>
    private static string TextOf(JsonElement response)
    {
        using JsonElement.ObjectEnumerator members = response.EnumerateObject();
        JsonElement output = default;
        int count = 0;
        foreach (JsonProperty member in members)
        {
            count++;
            if (member.NameEquals("output"u8))
                output = member.Value;
        }

        return (count, output.ValueKind) switch
        {
            (1, JsonValueKind.String) => output.GetString()!,
            (1, not JsonValueKind.Undefined) => output.GetRawText(),
            _ => response.GetRawText(),
        };
    }

    private static string Short(string text) => text.Length > 60 ? text[..60] : text;

    private void EndTurn()
    {
        if (_turn is not { } turn)
            return;
        _turn = null;
        string? thought = turn.Thought.Length > 0 ? turn.Thought.ToString() : turn.Signed;
        if (turn.Parts.Count > 0 || turn.Calls.Count > 0 || thought is not null)
            _messages.Add(new WireMessage(WireRole.Assistant, turn.Parts) { ToolCalls = turn.Calls, ReasoningContent = thought });
    }

    /// <summary>What the model said between two contents of the user.</summary>
    private sealed class Turn
    {
        public List<WirePart> Parts { get; } = [];

        public List<WireToolCall> Calls { get; } = [];

        public StringBuilder Thought { get; } = new();

        /// <summary>The reasoning of the first signature; holds where the thoughts themselves were left out.</summary>
        public string? Signed { get; set; }
    }
}
