using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Platform.Responses;

namespace Glimmer.Server.Responses;

/// <summary>Tells a response that has ended again as the stream it was, or would have been: the same events with the same numbers.</summary>
internal static class ResponseReplay
{
    /// <summary>Numbers before those of the first run of a background response: it was created, and queued.</summary>
    public const int BeforeRuns = 2;

    /// <summary>The event that says that a response ended so. A cancelled one has none of its own.</summary>
    public static ReadOnlySpan<byte> TypeOfEnd(string status) => status switch { "completed" => "response.completed"u8, "incomplete" => "response.incomplete"u8, _ => "response.failed"u8 };

    /// <summary>Writes what stands before the first run of a background response.</summary>
    public static void WriteQueued(ResponseEvents events, JsonElement body)
    {
        events.State("response.created"u8, json => WriteAs(json, body, "queued"));
        events.State("response.queued"u8, json => WriteAs(json, body, "queued"));
    }

    /// <summary>Writes a response that has ended, from its first event to its last.</summary>
    /// <param name="events">Where to.</param>
    /// <param name="response">What is kept of it.</param>
    /// <param name="body">The response.</param>
    public static void Write(ResponseEvents events, StoredResponse response, JsonElement body)
    {
        bool background = body.GetProperty("background").GetBoolean();
        string status = body.GetProperty("status").GetString()!;
        var marks = StreamMarks.Read(response.Marks, background ? BeforeRuns : 1);
        if (background)
            WriteQueued(events, body);
        else
            events.State("response.created"u8, json => WriteAs(json, body, "in_progress"));

        // What was said until it was given up is not kept; the end comes after all numbers that may have been seen.
        bool given = background && status is not ("completed" or "incomplete");
        if (!given || response.Sequence > 0)
        {
            events.Next = marks.Begun;
            events.State("response.in_progress"u8, json => WriteAs(json, body, "in_progress"));
        }

        if (given)
            events.Next = BeforeRuns + response.Sequence;
        else
            WriteItems(events, body.GetProperty("output"), marks.Pieces);
        events.State(TypeOfEnd(status), body.WriteTo);
    }

    private static void WriteItems(ResponseEvents events, JsonElement output, IReadOnlyList<(int Length, int Tokens)> pieces)
    {
        int piece = 0;
        foreach (JsonElement element in output.EnumerateArray())
        {
            var item = OutputItem.Read(element);
            IReadOnlyList<SaidToken>? tokens = (item as MessageOutput)?.Tokens;
            events.Open(item is ReasoningOutput reasoning ? reasoning with { Sealed = null } : item);   // sealed when it was complete
            for ((int at, int token) = (0, 0); at < item.Said.Length;)
            {
                (int length, int count) = piece < pieces.Count ? pieces[piece++] : (item.Said.Length, tokens?.Count ?? 0);
                length = Math.Clamp(length, 1, item.Said.Length - at);
                count = Math.Clamp(count, 0, (tokens?.Count ?? 0) - token);
                events.Continue(item.Said.Substring(at, length), count > 0 ? [.. tokens!.Skip(token).Take(count)] : null);
                at += length;
                token += count;
            }

            events.Close(item);
        }
    }

    /// <summary>Writes a response as it was before it had said anything.</summary>
    private static void WriteAs(Utf8JsonWriter json, JsonElement body, string status)
    {
        json.WriteStartObject();
        foreach (JsonProperty member in body.EnumerateObject())
        {
            switch (member.Name)
            {
                case "completed_at":
                    break;
                case "status":
                    json.WriteString("status"u8, status);
                    break;
                case "output":
                    json.WriteStartArray("output"u8);
                    json.WriteEndArray();
                    break;
                case "error" or "incomplete_details" or "usage":
                    json.WriteNull(member.Name);
                    break;
                default:
                    member.WriteTo(json);
                    break;
            }
        }

        json.WriteEndObject();
    }
}
