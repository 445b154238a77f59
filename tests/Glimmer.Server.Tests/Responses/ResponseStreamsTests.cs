using System.Text.Json;
using System.Threading.Channels;
using Glimmer.Dialogue.Output;
using Glimmer.Platform.Responses;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Responses;

/// <summary>Streams of responses that are kept: while they are made in the background, and again once they have ended.</summary>
public sealed class ResponseStreamsTests : IAsyncLifetime
{
    private const string Path = "/v1/responses";
    private const string Tools = """[{"type":"function","name":"read","parameters":{"type":"object"}},{"type":"namespace","name":"team","tools":[{"type":"function","name":"spawn","parameters":{"type":"object"}}]}]""";

    private static readonly SaidToken[] _said = [new("H"u8.ToArray(), -0.25f, [new("H"u8.ToArray(), -0.25f), new(new byte[] { 0xe4 }, -1.5f)]), new("el"u8.ToArray(), -0.1f, [])];

    private static readonly ChatScript _everything = new(
    [
        new(ChatEventKind.Reasoning, "th"), new(ChatEventKind.Reasoning, "ink 世界"), new(ChatEventKind.Content, "Hel") { Tokens = _said }, new(ChatEventKind.Content, "lo <b>") { Tokens = [_said[0]] },
        new(ChatEventKind.ToolCallStart, "read", 0), new(ChatEventKind.ToolCallArguments, "{\"a\":", 0), new(ChatEventKind.ToolCallArguments, "1}", 0),
        new(ChatEventKind.ToolCallEnd, "", 0), new(ChatEventKind.ToolCallStart, "team__spawn", 1), new(ChatEventKind.ToolCallArguments, "{}", 1), new(ChatEventKind.ToolCallEnd, "", 1),
    ], FinishReason.ToolCalls);

    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("\"background\":true")]
    [InlineData("\"background\":true,\"reasoning\":{\"summary\":\"auto\"},\"include\":[\"reasoning.encrypted_content\"]")]
    [InlineData("\"background\":true,\"top_logprobs\":2")]
    [InlineData("\"store\":true,\"top_logprobs\":2")]
    [InlineData("\"store\":true,\"reasoning\":{\"summary\":\"auto\"},\"include\":[\"reasoning.encrypted_content\"]")]
    [InlineData("\"metadata\":{\"only\":\"remembered\"}")]
    public async Task A_stream_is_told_again_event_by_event_from_any_number_on(string fields)
    {
        bool background = fields.Contains("background", StringComparison.Ordinal);
        var gate = Channel.CreateUnbounded<int>();
        _harness.Backend.Script = _ => _everything with { Gate = background ? gate.Reader : null };
        using StreamReading reader = await StreamReading.BeginAsync(_harness, Body($"\"stream\":true,\"tools\":{Tools},{fields}"));

        // In the background, each piece comes by itself as long as somebody reads: the next one is said when the last one has been seen.
        foreach (ChatEvent said in _everything.Events)
        {
            await gate.Writer.WriteAsync(1, TestContext.Current.CancellationToken);
            if (said.Kind is ChatEventKind.Reasoning or ChatEventKind.Content or ChatEventKind.ToolCallArguments)
                await reader.UntilSaidAsync(said.Text);
        }

        List<string> live = await reader.ToEndAsync();
        Assert.Equal(2 + 3 + 2, live.Count(one => one.Contains(".delta\"", StringComparison.Ordinal)));
        Assert.Equal(Enumerable.Range(0, live.Count), live.Select(Number));
        JsonElement final = JsonDocument.Parse(live[^1]).RootElement.GetProperty("response");
        Assert.Equal(["created", .. background ? ["queued"] : Array.Empty<string>(), "in_progress", "output_item.added"], live.Take(background ? 4 : 3).Select(one => TypeOf(one)["response.".Length..]));

        string id = final.GetProperty("id").GetString()!;
        Assert.Equal(final.GetRawText(), await _harness.Client.GetStringAsync($"{Path}/{id}", TestContext.Current.CancellationToken));
        Assert.Equal(live, await AgainAsync(id, null));
        for (int after = 0; after <= live.Count; after++)
            Assert.Equal(live.Skip(after + 1), await AgainAsync(id, after));
    }

    [Theory]
    [InlineData("\"background\":true")]
    [InlineData("\"store\":true")]
    public async Task What_was_no_stream_is_told_as_the_stream_that_it_would_have_been(string fields)
    {
        _harness.Backend.Script = _ => _everything;
        JsonElement made = await _harness.ChatAsync(Body($"\"tools\":{Tools},{fields}"), Path);
        string id = made.GetProperty("id").GetString()!;

        // It waits for the end of one that is still being made.
        List<string> told = await AgainAsync(id, null);
        Assert.Equal(1 + 1 + 2, told.Count(one => one.Contains(".delta\"", StringComparison.Ordinal)));
        Assert.Equal(Enumerable.Range(0, told.Count), told.Select(Number));
        string final = await _harness.Client.GetStringAsync($"{Path}/{id}", TestContext.Current.CancellationToken);
        Assert.Equal(final, JsonDocument.Parse(told[^1]).RootElement.GetProperty("response").GetRawText());
        Assert.Equal(told.Skip(4), await AgainAsync(id, 3));

        // Everything that the whole holds was said in pieces.
        JsonElement output = JsonDocument.Parse(final).RootElement.GetProperty("output");
        JsonElement[] done = [.. told.Select(one => JsonDocument.Parse(one).RootElement).Where(one => one.GetProperty("type").GetString() == "response.output_item.done")];
        Assert.Equal(output.EnumerateArray().Select(item => item.GetRawText()), done.Select(one => one.GetProperty("item").GetRawText()));
    }

    [Fact]
    public async Task Who_leaves_does_not_end_a_background_response_and_finds_the_rest()
    {
        var gate = Channel.CreateUnbounded<int>();
        _harness.Backend.Script = _ => ChatScript.Of("one ", "two ", "three ", "four") with { Gate = gate.Reader };
        string id;
        int known;
        using (StreamReading first = await StreamReading.BeginAsync(_harness, Body("\"stream\":true,\"background\":true")))
        {
            await gate.Writer.WriteAsync(1, TestContext.Current.CancellationToken);
            await first.UntilSaidAsync("one ");
            id = JsonDocument.Parse(first.Events[0]).RootElement.GetProperty("response").GetProperty("id").GetString()!;
            known = Number(first.Events[^1]);
        }

        // What is said while nobody reads comes as one piece.
        await gate.Writer.WriteAsync(1, TestContext.Current.CancellationToken);
        await gate.Writer.WriteAsync(1, TestContext.Current.CancellationToken);
        await ServerHarness.UntilAsync(() => gate.Reader.Count == 0);
        using StreamReading second = await StreamReading.ResumeAsync(_harness, id, known);
        using StreamReading whole = await StreamReading.ResumeAsync(_harness, id, null);
        await gate.Writer.WriteAsync(1, TestContext.Current.CancellationToken);
        List<string> rest = await second.ToEndAsync();
        Assert.Equal("two three four", string.Concat(rest.Select(Delta)));
        Assert.Equal(known + 1, Number(rest[0]));
        Assert.Equal("response.completed", TypeOf(rest[^1]));
        List<string> all = await whole.ToEndAsync();
        Assert.Equal(rest, all.Skip(known + 1));
        Assert.Equal(all, await AgainAsync(id, null));
        Assert.Equal(1, _harness.Backend.Requests);
    }

    [Fact]
    public async Task A_cancelled_one_and_a_failed_one_end_with_their_state()
    {
        _harness.Backend.Script = _ => ChatScript.Of("partly") with { HangAtEnd = true };
        using StreamReading reader = await StreamReading.BeginAsync(_harness, Body("\"stream\":true,\"background\":true"));
        await reader.UntilSaidAsync("partly");
        string id = JsonDocument.Parse(reader.Events[0]).RootElement.GetProperty("response").GetProperty("id").GetString()!;
        await _harness.ChatAsync("", $"{Path}/{id}/cancel");
        List<string> seen = await reader.ToEndAsync();
        Assert.Equal(("response.failed", "cancelled"), (TypeOf(seen[^1]), StatusOf(seen[^1])));
        Assert.True(Number(seen[^1]) > Number(seen[^2]));
        Assert.Equal(seen.TakeLast(1), await AgainAsync(id, Number(seen[^2])));
        Assert.Equal(["response.created", "response.queued", "response.in_progress", "response.failed"], (await AgainAsync(id, null)).Select(TypeOf));
        Assert.Equal(0, _harness.Backend.Active);

        _harness.Backend.Script = _ => new([]) { Error = PlatformError.Of(BusinessCode.PromptTooLong) };
        using StreamReading failing = await StreamReading.BeginAsync(_harness, Body("\"stream\":true,\"background\":true"));
        seen = await failing.ToEndAsync();
        Assert.Equal(("response.failed", "failed"), (TypeOf(seen[^1]), StatusOf(seen[^1])));
        Assert.Equal("invalid_prompt", JsonDocument.Parse(seen[^1]).RootElement.GetProperty("response").GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_run_that_fails_and_is_repeated_begins_anew_with_higher_numbers()
    {
        int runs = 0;
        var seen = new TaskCompletionSource();
        _harness.Backend.Script = _ => Interlocked.Increment(ref runs) == 1 ? ChatScript.Of("lost", "x") with { FaultAt = 1, Opened = seen.Task } : ChatScript.Of("made");
        using StreamReading reader = await StreamReading.BeginAsync(_harness, Body("\"stream\":true,\"background\":true"));
        await reader.UntilAsync("response.queued");
        seen.SetResult();
        List<string> events = await reader.ToEndAsync();
        int[] numbers = [.. events.Select(Number)];
        Assert.Equal(numbers.Order().Distinct(), numbers);
        int again = events.FindLastIndex(one => TypeOf(one) == "response.in_progress");
        Assert.Empty(JsonDocument.Parse(events[again]).RootElement.GetProperty("response").GetProperty("output").EnumerateArray());
        Assert.Equal("made", string.Concat(events.Skip(again).Select(Delta)));
        Assert.Equal("response.completed", TypeOf(events[^1]));

        // Told again, it is the last run's.
        string id = JsonDocument.Parse(events[0]).RootElement.GetProperty("response").GetProperty("id").GetString()!;
        Assert.Equal([.. events.Take(2), .. events.Skip(again)], await AgainAsync(id, null));
    }

    [Fact]
    public async Task A_deleted_one_ends_with_an_error_and_one_that_nobody_makes_has_failed()
    {
        _harness.Backend.Script = _ => ChatScript.Of("x") with { HangAtEnd = true };
        using StreamReading reader = await StreamReading.BeginAsync(_harness, Body("\"stream\":true,\"background\":true"));
        await reader.UntilSaidAsync("x");
        string id = JsonDocument.Parse(reader.Events[0]).RootElement.GetProperty("response").GetProperty("id").GetString()!;
        using HttpResponseMessage deleted = await _harness.Client.DeleteAsync(new Uri($"{Path}/{id}", UriKind.Relative), TestContext.Current.CancellationToken);
        List<string> seen = await reader.ToEndAsync();
        Assert.True(TypeOf(seen[^1]) is "error" or "response.failed", seen[^1]);   // the reader may see that it was cancelled first
        Assert.True(Number(seen[^1]) > Number(seen[^2]));

        using var store = PlatformStore.Open(new StoreSettings { DataFolder = _harness.Folder });
        await new ResponseStore(store).KeepAsync(
            new StoredResponse("resp_left", _harness.Server.Keys.Keys[0].AccountId, "in_progress", DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), null, "[]", """{"id":"resp_left","status":"in_progress","background":true,"error":null,"output":[]}"""), isNew: true);
        List<string> lost = await AgainAsync("resp_left", null);
        Assert.Equal(("response.failed", "failed"), (TypeOf(lost[^1]), StatusOf(lost[^1])));
    }

    [Fact]
    public async Task Another_accounts_and_one_that_is_too_old_are_not_there()
    {
        long owner = _harness.Server.Keys.Keys[0].AccountId, now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        const string Body = """{"id":"x","status":"completed","background":false,"error":null,"output":[]}""";
        using var store = PlatformStore.Open(new StoreSettings { DataFolder = _harness.Folder });
        var responses = new ResponseStore(store);
        foreach ((string id, long account, long created, int status) in new[]
        {
            ("resp_own", owner, now, 200), ("resp_theirs", owner + 1, now, 404), ("resp_old", owner, now - (long)ResponseStore.Lifetime.TotalMilliseconds - 1, 404),
        })
        {
            await responses.KeepAsync(new StoredResponse(id, account, "completed", created, null, "[]", Body), isNew: true);
            foreach (string query in new[] { "?stream=true", "?stream=true&starting_after=0" })
            {
                using HttpResponseMessage answer = await _harness.Client.GetAsync(new Uri($"{Path}/{id}{query}", UriKind.Relative), TestContext.Current.CancellationToken);
                Assert.Equal(status, (int)answer.StatusCode);
            }
        }
    }

    [Theory]
    [InlineData("stream=maybe", 400, "stream")]
    [InlineData("stream=true&starting_after=x", 400, "starting_after")]
    [InlineData("stream=true&starting_after=-1", 400, "starting_after")]
    [InlineData("starting_after=1", 400, "starting_after")]
    [InlineData("stream=false", 200, null)]
    public async Task A_wrong_question_is_told(string query, int status, string? param)
    {
        JsonElement made = await _harness.ChatAsync(Body("\"store\":true"), Path);
        using HttpResponseMessage answer = await _harness.Client.GetAsync(new Uri($"{Path}/{made.GetProperty("id").GetString()}?{query}", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)answer.StatusCode);
        if (param is not null)
            Assert.Equal(param, JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("error").GetProperty("param").GetString());
        using HttpResponseMessage none = await _harness.Client.GetAsync(new Uri($"{Path}/resp_none?stream=true", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(404, (int)none.StatusCode);
    }

    private static string Body(string fields) => $$"""{"model":"glm-4.7","input":"hi",{{fields}}}""";

    private async Task<List<string>> AgainAsync(string id, int? after)
    {
        using StreamReading reader = await StreamReading.ResumeAsync(_harness, id, after);
        return await reader.ToEndAsync();
    }

    private static int Number(string one) => JsonDocument.Parse(one).RootElement.GetProperty("sequence_number").GetInt32();

    private static string TypeOf(string one) => JsonDocument.Parse(one).RootElement.GetProperty("type").GetString()!;

    private static string? StatusOf(string one) => JsonDocument.Parse(one).RootElement.GetProperty("response").GetProperty("status").GetString();

    private static string Delta(string one) => JsonDocument.Parse(one).RootElement.TryGetProperty("delta", out JsonElement delta) ? delta.GetString()! : "";
}
