using System.Buffers;
using System.Text;
using System.Text.Json;
using Glimmer.Platform.Responses;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.OpenAI;

namespace Glimmer.Server.Responses;

/// <summary>Finds what a request goes on from, and keeps what it leaves.</summary>
internal sealed class ResponseHistory(ResponseStore store, ConversationStore conversations, RecentResponses recent, PlatformStore database)
{
    /// <summary>Longest chain of responses.</summary>
    private const int MaxTurns = 1000;

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    /// <summary>The response of this id; null when the account has none.</summary>
    public async ValueTask<StoredResponse?> FindAsync(long account, string id) => recent.Find(account, id) ?? await store.FindAsync(account, id);

    /// <summary>Forgets and removes a response.</summary>
    /// <returns>Whether there was one.</returns>
    public async ValueTask<bool> DeleteAsync(long account, string id) => await store.DeleteAsync(account, id) | recent.Remove(account, id);

    /// <summary>The items of the turns before a request.</summary>
    public async ValueTask<(IReadOnlyList<JsonElement> Items, PlatformError? Error)> BeforeAsync(long account, ResponsesRequest request)
    {
        if (request.ConversationId is { } conversation)
        {
            return await conversations.ItemsAsync(account, conversation) is { } kept
                ? ([.. kept.Select(static item => Parse(item.Json))], null)
                : ([], Missing("Conversation", conversation, "conversation"));
        }

        var turns = new List<JsonElement[]>();
        for (string? id = request.PreviousResponseId; id is not null;)
        {
            if (await FindAsync(account, id) is not { } turn || turns.Count >= MaxTurns)
                return ([], Missing("Previous response", id, "previous_response_id"));
            if (turn.Status is not ("completed" or "incomplete"))
                return ([], PlatformError.Invalid("previous_response_id", $"that response is {turn.Status}", "Name one that is completed"));
            turns.Add([.. Parse(turn.Input).EnumerateArray(), .. Parse(turn.Body).GetProperty("output").EnumerateArray()]);
            id = turn.Previous;
        }

        turns.Reverse();
        return ([.. turns.SelectMany(static turn => turn)], null);
    }

    /// <summary>The items of a request, with references replaced by what they name, and an id for each.</summary>
    public async ValueTask<(IReadOnlyList<JsonElement> Items, PlatformError? Error)> InputAsync(long account, IReadOnlyList<JsonElement> input)
    {
        var items = new List<JsonElement>(input.Count);
        for (int i = 0; i < input.Count; i++)
        {
            JsonElement item = input[i];
            if (item.TryGetProperty("type", out JsonElement type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("item_reference"u8)
                && item.TryGetProperty("id", out JsonElement id) && id.ValueKind == JsonValueKind.String)
            {
                string name = id.GetString()!;
                if ((recent.FindItem(account, name) ?? await store.FindItemAsync(account, name)) is not { } json)
                {
                    return ([], Missing("Item", name, $"input[{i}].id") with
                    {
                        Message = $"Item with id '{Shorten(name)}' not found. Items are remembered for a while unless store is false, and kept when it is true; send the item itself.",
                    });
                }

                item = Parse(json);
            }

            items.Add(item);
        }

        return (items, null);
    }

    /// <summary>Keeps a response that has ended, where the request says so. A database that is away holds no answer back: it is kept once it is there again.</summary>
    public async ValueTask KeepAsync(long account, ResponsesAnswer answer, IReadOnlyList<StoredItem> input)
    {
        StoredResponse response = Stored(account, answer.Head, answer.State, input) with { Marks = answer.Marks?.Write() };
        ResponsesRequest request = answer.Head.Request;
        if (answer.Head.Stored)
        {
            if (!await SoonAsync(store.KeepAsync(response, isNew: !request.Background, patient: true)))
                recent.Add(response);
        }
        else if (request.Store != false)
        {
            recent.Add(response);
        }

        if (request.ConversationId is { } conversation && response.Status is ("completed" or "incomplete"))
            await SoonAsync(conversations.AppendAsync(account, conversation, [.. input, .. response.Output]));
    }

    /// <summary>Waits for a write, but only a little where the database is away or cannot be written: false when it is still to come. Its fault is the caller's while he waits.</summary>
    private async Task<bool> SoonAsync(Task write)
    {
        while (await Task.WhenAny(write, Task.Delay(_patience)) != write)
        {
            if (!database.Presence.IsAway && database.Trouble is null)
                continue;
            _ = write.ContinueWith(static done => _ = done.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            return false;
        }

        await write;
        return true;
    }

    /// <summary>A response in a state, as it is kept.</summary>
    public static StoredResponse Stored(long account, ResponseHead head, ResponseState state, IReadOnlyList<StoredItem> input) => new(
        head.Id, account, state.Status, head.Created.ToUnixTimeMilliseconds(), head.Request.PreviousResponseId, "[" + string.Join(',', input.Select(static item => item.Json)) + "]",
        ResponsesAnswer.BodyOf(head, state))
    {
        Output = [.. state.Output.Select(static item => item.Stored())],
    };

    /// <summary>Items as they are kept: each with an id and a type, a text as a list of parts.</summary>
    public static IReadOnlyList<StoredItem> Normalise(IReadOnlyList<JsonElement> items) => [.. items.Select(Normalise)];

    /// <summary>404: there is no such thing, or it is another account's.</summary>
    public static PlatformError Missing(string what, string id, string field) =>
        new(BusinessCode.ParameterInvalid, $"{what} with id '{Shorten(id)}' not found.", field) { Chinese = $"未找到 id 为 '{Shorten(id)}' 的对象", Status = StatusCodes.Status404NotFound };

    /// <summary>Reads kept JSON.</summary>
    public static JsonElement Parse(string json) => JsonDocument.Parse(json, WireJson.ReaderOptions).RootElement;

    private static StoredItem Normalise(JsonElement item)
    {
        string type = item.TryGetProperty("type", out JsonElement named) && named.ValueKind == JsonValueKind.String ? named.GetString()! : "message";
        string id = item.TryGetProperty("id", out JsonElement given) && given.ValueKind == JsonValueKind.String && given.GetString() is { Length: > 0 and <= 256 } own
            ? own
            : ResponseIds.New(type switch { "message" => "msg", "reasoning" => "rs", "function_call" => "fc", "function_call_output" => "fco", "custom_tool_call" => "ctc", "custom_tool_call_output" => "ctco", _ => "item" });
        var body = new ArrayBufferWriter<byte>();
        bool stated = false;
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("id"u8, id);
            json.WriteString("type"u8, type);
            foreach (JsonProperty member in item.EnumerateObject())
            {
                if (member.NameEquals("id"u8) || member.NameEquals("type"u8))
                    continue;
                stated |= member.NameEquals("status"u8);
                json.WritePropertyName(member.Name);
                if (type == "message" && member.NameEquals("content"u8) && member.Value.ValueKind == JsonValueKind.String)
                {
                    bool said = item.TryGetProperty("role", out JsonElement role) && role.ValueKind == JsonValueKind.String && role.ValueEquals("assistant"u8);
                    json.WriteStartArray();
                    ReasoningOutput.WritePart(json, said ? "output_text"u8 : "input_text"u8, member.Value.GetString()!);
                    json.WriteEndArray();
                }
                else
                {
                    member.Value.WriteTo(json);
                }
            }

            if (!stated && type != "reasoning")
                json.WriteString("status"u8, "completed"u8);
            json.WriteEndObject();
        }

        return new StoredItem(id, Encoding.UTF8.GetString(body.WrittenSpan));
    }

    private static string Shorten(string text) => text.Length <= 80 ? text : text[..80] + "…";
}
