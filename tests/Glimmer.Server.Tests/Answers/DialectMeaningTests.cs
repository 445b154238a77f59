using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Answers;

/// <summary>The same conversation has the same meaning in every dialect, streamed and whole, on its way in and on its way out.</summary>
public sealed class DialectMeaningTests : IAsyncLifetime
{
    internal static readonly Dictionary<string, (ChatScript Script, Heard Heard)> Answers = new()
    {
        ["text"] = (Say(FinishReason.Stop, Content("Hel"), Content("lo ä世🌍\n\"<>&\\")), Hear("Hello ä世🌍\n\"<>&\\", "", "", "stop")),
        ["nothing"] = (Say(FinishReason.Stop), Hear("", "", "", "stop")),
        ["thinking"] = (Say(FinishReason.Stop, Thought("Let me"), Thought(" see"), Content("Yes")), Hear("Yes", "Let me see", "", "stop")),
        ["calls"] = (Say(FinishReason.ToolCalls, [.. Calls()]), Hear("", "", """read({"path":"a"})list({})""", "calls")),
        ["everything"] = (Say(FinishReason.ToolCalls, [Thought("hm"), Content("Looking."), .. Calls()]), Hear("Looking.", "hm", """read({"path":"a"})list({})""", "calls")),
        ["stop text"] = (Say(FinishReason.Stop, Content("one ")) with { StopText = "END" }, Hear("one ", "", "", "stop")),
        ["limit"] = (Say(FinishReason.Length, Thought("long"), Content("cut")), Hear("cut", "long", "", "length")),
        ["sensitive"] = (Say(FinishReason.Sensitive, Content("a")), Hear("a", "", "", "sensitive")),
    };

    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    public static TheoryData<string, string> Everything()
    {
        TheoryData<string, string> all = [];
        foreach (string answer in Answers.Keys)
        {
            foreach (string dialect in DialectVoice.All.Keys)
                all.Add(dialect, answer);
        }

        return all;
    }

    public static TheoryData<string> Dialects() => [.. DialectVoice.All.Keys];

    [Theory]
    [MemberData(nameof(Everything))]
    public async Task An_answer_means_the_same_streamed_and_whole(string dialect, string answer)
    {
        (ChatScript script, Heard expected) = Answers[answer];
        DialectVoice voice = DialectVoice.All[dialect];
        _harness.Backend.Script = _ => script;

        JsonElement whole = await _harness.ChatAsync(voice, voice.Ask("x", thinking: true, 100, "END"));
        (HttpStatusCode status, string stream) = await SendAsync(voice, voice.Ask("x", thinking: true, 100, "END"), stream: true);

        Assert.Equal(expected, voice.ReadWhole(whole));
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(expected, voice.ReadStream(stream));
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task Reasoning_that_was_not_asked_for_is_not_said(string dialect)
    {
        DialectVoice voice = DialectVoice.All[dialect];
        _harness.Backend.Script = _ => Answers["thinking"].Script;
        JsonElement whole = await _harness.ChatAsync(voice, voice.Ask("x", thinking: false));
        (_, string stream) = await SendAsync(voice, voice.Ask("x", thinking: false), stream: true);
        Assert.Equal(Hear("Yes", "", "", "stop"), voice.ReadWhole(whole));
        Assert.Equal(Hear("Yes", "", "", "stop"), voice.ReadStream(stream));
        Assert.False(_harness.Backend.LastRequest!.Conversation.Options.EnableThinking);
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task A_request_means_the_same(string dialect)
    {
        DialectVoice voice = DialectVoice.All[dialect];
        await _harness.ChatAsync(voice, voice.Continue());
        ChatRequest request = _harness.Backend.LastRequest!;
        Assert.Equal((true, false), (request.Conversation.Options.EnableThinking, request.Conversation.Options.ClearThinking));
        Assert.Equal(["read", "list"], request.Conversation.Tools.Select(tool => tool.Name));
        Assert.Equal(
            """{"type":"function","function":{"name":"read","description":"d","parameters":{"type":"object","properties":{"path":{"type":"string"}}}}}""",
            JsonNode.Parse(request.Conversation.Tools[0].Json.GetRawText())!.ToJsonString());
        Assert.Equal(
            ["System:Be brief", "User:Read both ä", "Assistant:Reading.", "Tool:one", "Tool:two"],
            request.Conversation.Messages.Select(message => $"{message.Role}:{string.Concat(message.Content.Cast<TextPart>().Select(part => part.Text))}"));
        ChatMessage said = request.Conversation.Messages[2];
        Assert.Equal("hm", said.ReasoningContent);
        Assert.Equal(["read {\"path\":\"a\"}", "list {}"], said.ToolCalls.Select(call => $"{call.Name} {JsonNode.Parse(call.Arguments)!.ToJsonString()}"));
        Assert.Equal(said.ToolCalls.Select(call => call.Id), request.Conversation.Messages.Where(message => message.Role == ChatRole.Tool).Select(message => message.ToolCallId));
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task Limits_and_stop_texts_arrive(string dialect)
    {
        DialectVoice voice = DialectVoice.All[dialect];
        await _harness.ChatAsync(voice, voice.Ask("x", thinking: true, 77, "END"));
        Assert.Equal(77, _harness.Backend.LastRequest!.MaxTokens);
        Assert.Equal(dialect == "responses" ? [] : ["END"], _harness.Backend.LastRequest.Stop);
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task An_error_before_the_answer_has_the_same_code_and_text(string dialect)
    {
        DialectVoice voice = DialectVoice.All[dialect];
        _harness.Backend.Script = _ => ChatScript.Of() with { Error = PlatformError.Invalid("messages", "it is odd", "Send another") };
        foreach (bool streamed in new[] { false, true })
        {
            (HttpStatusCode status, string body) = await SendAsync(voice, voice.Ask("x", thinking: true), streamed);
            Assert.Equal(HttpStatusCode.BadRequest, status);
            Assert.Contains("The parameter messages is invalid: it is odd. Send another.", body, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task A_fault_in_the_middle_is_an_error(string dialect)
    {
        DialectVoice voice = DialectVoice.All[dialect];
        _harness.Backend.Script = _ => ChatScript.Of("a", "b") with { FaultAt = 1, Yield = true };
        await AssertFaultAsync(voice, HttpStatusCode.InternalServerError);
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task An_answer_that_the_server_cancels_is_an_error(string dialect)
    {
        DialectVoice voice = DialectVoice.All[dialect];
        _harness.Backend.Script = _ => Say(FinishReason.Cancelled, Content("a"));
        await AssertFaultAsync(voice, dialect == "anthropic" ? (HttpStatusCode)529 : HttpStatusCode.ServiceUnavailable);
    }

    private async Task AssertFaultAsync(DialectVoice voice, HttpStatusCode expected)
    {
        (HttpStatusCode whole, string text) = await SendAsync(voice, voice.Ask("x", thinking: true), stream: false);
        (HttpStatusCode streamed, string stream) = await SendAsync(voice, voice.Ask("x", thinking: true), stream: true);
        Assert.Equal(expected, whole);
        Assert.Contains("error", text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, streamed);
        Heard heard = voice.ReadStream(stream);
        Assert.Equal(("a", "fault"), (heard.Content, heard.Finish));
        Assert.DoesNotContain(ScriptedBackend.CanaryText, text + stream, StringComparison.Ordinal);
    }

    private async Task<(HttpStatusCode Status, string Body)> SendAsync(DialectVoice voice, JsonObject body, bool stream)
    {
        using HttpResponseMessage response = await _harness.PostAsync(voice, body, stream);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    private static ChatScript Say(FinishReason finish, params ChatEvent[] events) => new(events, finish);

    private static ChatEvent Content(string text) => new(ChatEventKind.Content, text);

    private static ChatEvent Thought(string text) => new(ChatEventKind.Reasoning, text);

    private static ChatEvent[] Calls() =>
    [
        new(ChatEventKind.ToolCallStart, "read", 0), new(ChatEventKind.ToolCallArguments, "{\"path\":", 0), new(ChatEventKind.ToolCallArguments, "\"a\"}", 0), new(ChatEventKind.ToolCallEnd, "", 0),
        new(ChatEventKind.ToolCallStart, "list", 1), new(ChatEventKind.ToolCallArguments, "{}", 1), new(ChatEventKind.ToolCallEnd, "", 1),
    ];

    private static Heard Hear(string content, string reasoning, string calls, string finish) => new(content, reasoning, calls, finish, 107, 34);
}
