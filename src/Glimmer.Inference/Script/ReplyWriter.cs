using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Inference.Script;

/// <summary>
/// Writes scripted replies as the tokens a model of some generation would say. The generation's own template writes them: the
/// reply is rendered as a message of the past, and what goes beyond the prompt is what the model must have said.
/// </summary>
internal sealed partial class ReplyWriter(Generation generation, ITokenizer tokenizer)
{
    private static readonly ChatMessage Question = ChatMessage.OfText(ChatRole.User, "?");
    private readonly IReadOnlySet<int> _stops = generation.StopTokens(tokenizer);

    /// <summary>The tokens of a reply, its stop token included unless it ends in another way.</summary>
    /// <param name="reply">What to say.</param>
    /// <param name="thinking">The request's switch.</param>
    /// <param name="groups">Values for <c>{{0}}</c>, <c>{{1}}</c> …</param>
    /// <param name="last">Value for <c>{{last}}</c>.</param>
    /// <param name="fault">Why the generation cannot write it; then the result is null.</param>
    public int[]? Write(ScriptedReply reply, bool? thinking, IReadOnlyList<string> groups, string last, out string? fault)
    {
        List<int> said = [];
        bool calls = reply.ToolCalls.Count > 0;
        fault = null;
        if (reply.Raw is { } raw)
        {
            tokenizer.Encode(Fill(raw, groups, last), recogniseAdded: true, said);
            calls = raw.Contains("<tool_call>", StringComparison.Ordinal);
        }
        else
        {
            string text = Fill(reply.Text ?? "", groups, last);
            if (reply.Repeat > 1)
                text = string.Concat(Enumerable.Repeat(text, reply.Repeat));
            ChatMessage answer = new()
            {
                Role = ChatRole.Assistant,
                Content = text.Length > 0 ? [new TextPart(text)] : [],
                ReasoningContent = thinking == false || reply.Thinking is null ? null : Fill(reply.Thinking, groups, last),
                ToolCalls = [.. reply.ToolCalls.Select((call, i) => new ToolCall(
                    string.Create(CultureInfo.InvariantCulture, $"call_{i}"), call.Name, Fill(call.Arguments, groups, last)))],
            };
            RenderOptions options = new() { EnableThinking = thinking };
            RenderResult prompt = generation.Render(new Conversation([Question], [], options), tokenizer);
            RenderResult whole = generation.Render(new Conversation([Question, answer], [], options with { AddGenerationPrompt = false }), tokenizer);
            if ((prompt.Fault ?? whole.Fault) is { } wrong)
            {
                fault = wrong.ToString();
                return null;
            }

            // The prompt may open the reasoning that the message closes at once: what they have in common is the prompt's part.
            int common = prompt.Prompt!.Tokens.AsSpan().CommonPrefixLength(whole.Prompt!.Tokens);
            said.AddRange(whole.Prompt.Tokens.AsSpan(common));
        }

        if (reply.End == ScriptedEnd.Stop && StopAfter(calls) is { } stop && (said.Count == 0 || !_stops.Contains(said[^1])))
            said.Add(stop);
        return [.. said];
    }

    /// <summary>The tokens of a reply to a raw prompt: its text (or its raw output), with nothing of the generation's around it but the stop token.</summary>
    public int[] WriteText(ScriptedReply reply, IReadOnlyList<string> groups, string last)
    {
        List<int> said = [];
        string text = Fill(reply.Raw ?? reply.Text ?? "", groups, last);
        tokenizer.Encode(reply.Repeat > 1 ? string.Concat(Enumerable.Repeat(text, reply.Repeat)) : text, recogniseAdded: reply.Raw is not null, said);
        if (reply.End == ScriptedEnd.Stop && StopAfter(calls: false) is { } stop && (said.Count == 0 || !_stops.Contains(said[^1])))
            said.Add(stop);
        return [.. said];
    }

    /// <summary>After calls the model hands over to the tools, else to the user.</summary>
    private int? StopAfter(bool calls)
    {
        if (tokenizer.TryGetAdded(calls ? ControlTokens.Observation : ControlTokens.User, out int id) && _stops.Contains(id))
            return id;
        return _stops.Count > 0 ? _stops.Min() : null;
    }

    private static string Fill(JsonElement arguments, IReadOnlyList<string> groups, string last)
    {
        string json = arguments.GetRawText();
        if (!json.Contains("{{", StringComparison.Ordinal))
            return json;
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            Copy(arguments, writer, groups, last);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void Copy(JsonElement value, Utf8JsonWriter writer, IReadOnlyList<string> groups, string last)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (JsonProperty member in value.EnumerateObject())
                {
                    writer.WritePropertyName(member.Name);
                    Copy(member.Value, writer, groups, last);
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (JsonElement item in value.EnumerateArray())
                    Copy(item, writer, groups, last);
                writer.WriteEndArray();
                break;
            case JsonValueKind.String:
                writer.WriteStringValue(Fill(value.GetString()!, groups, last));
                break;
            default:
                value.WriteTo(writer);
                break;
        }
    }

    private static string Fill(string text, IReadOnlyList<string> groups, string last) =>
        !text.Contains("{{", StringComparison.Ordinal)
            ? text
            : Place().Replace(text, place => place.Groups["name"].ValueSpan is "last"
                ? last
                : int.TryParse(place.Groups["name"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < groups.Count
                    ? groups[index]
                    : place.Value);

    [GeneratedRegex(@"\{\{(?<name>last|\d{1,2})\}\}", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Place();
}
