using System.Globalization;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Inference;
using Glimmer.Inference.Embedded;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Responses;

/// <summary><c>truncation: auto</c>: the oldest of a conversation that does not fit is left out.</summary>
public sealed class TruncationTests : IAsyncLifetime
{
    private const string Path = "/v1/responses";

    private const string Input = """
        [{"role":"developer","content":"rules"},{"role":"user","content":"one"},{"role":"assistant","content":"two"},{"role":"user","content":"look"},
        {"type":"function_call","call_id":"a","name":"f","arguments":"{}"},{"type":"function_call","call_id":"b","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"a","output":"A"},{"type":"function_call_output","call_id":"b","output":"B"},
        {"role":"user","content":"last"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"C"}]
        """;

    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData(11, "Sbe R one two look !AB last !C")]
    [InlineData(10, "Sbe R two look !AB last !C")]
    [InlineData(9, "Sbe R look !AB last !C")]
    [InlineData(8, "Sbe R !AB last !C")]
    [InlineData(7, "Sbe R last !C")]
    [InlineData(5, "Sbe R last !C")]
    [InlineData(4, null)]
    public async Task As_little_as_must_goes_and_calls_go_with_their_outputs(int room, string? left)
    {
        // A message is a token here.
        foreach (bool told in new[] { true, false })
        {
            _harness.Backend.Count = static request => request.Conversation.Messages.Count;
            _harness.Backend.Script = request => request.Conversation.Messages.Count > room
                ? new ChatScript([]) { Error = PlatformError.Of(BusinessCode.PromptTooLong) with { ContextTokens = told ? room + 2 : 0 } }
                : ChatScript.Of("x");
            string body = $$"""{"model":"glm-4.7","instructions":"Sbe","max_output_tokens":1,"truncation":"auto","input":{{Input}}}""";
            using HttpResponseMessage answer = await _harness.PostAsync(body, Path);
            string said = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            JsonElement json = JsonDocument.Parse(said).RootElement;
            if (left is null)
            {
                Assert.Equal((400, "context_length_exceeded"), ((int)answer.StatusCode, json.GetProperty("error").GetProperty("code").GetString()));
                continue;
            }

            Assert.True(answer.IsSuccessStatusCode, said);
            Assert.Equal("auto", json.GetProperty("truncation").GetString());
            string seen = Seen();
            if (told)
            {
                Assert.Equal(left, seen);
                int gone = 11 - _harness.Backend.LastRequest!.Conversation.Messages.Count;
                Assert.Equal(gone > 0 ? [gone.ToString(CultureInfo.InvariantCulture)] : [], answer.Headers.TryGetValues("X-Glimmer-Messages-Left-Out", out IEnumerable<string>? values) ? values : []);
            }
            else
            {
                Assert.EndsWith("last !C", seen, StringComparison.Ordinal);
                Assert.StartsWith("Sbe R", seen, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(",\"truncation\":\"disabled\"")]
    [InlineData(",\"truncation\":null")]
    public async Task Without_it_what_is_too_long_is_refused(string field)
    {
        _harness.Backend.Script = static request => request.Conversation.Messages.Count > 2 ? new ChatScript([]) { Error = PlatformError.Of(BusinessCode.PromptTooLong) } : ChatScript.Of("x");
        using HttpResponseMessage answer = await _harness.PostAsync($$"""{"model":"glm-4.7","input":{{Input}}{{field}}}""", Path);
        Assert.Equal(400, (int)answer.StatusCode);
        Assert.Equal(1, _harness.Backend.Requests);
    }

    [Fact]
    public async Task It_holds_in_the_background_and_in_streams_and_what_is_kept_is_the_whole()
    {
        _harness.Backend.Count = static request => request.Conversation.Messages.Count;
        _harness.Backend.Script = static request => request.Conversation.Messages.Count > 7 ? new ChatScript([]) { Error = PlatformError.Of(BusinessCode.PromptTooLong) with { ContextTokens = 9 } } : ChatScript.Of("x");
        using StreamReading reader = await StreamReading.BeginAsync(_harness, $$"""{"model":"glm-4.7","truncation":"auto","background":true,"stream":true,"max_output_tokens":1,"input":{{Input}}}""");
        List<string> events = await reader.ToEndAsync();
        JsonElement final = JsonDocument.Parse(events[^1]).RootElement.GetProperty("response");
        Assert.Equal(("completed", "auto"), (final.GetProperty("status").GetString(), final.GetProperty("truncation").GetString()));
        Assert.Equal("R !AB last !C", Seen());
        string items = await _harness.Client.GetStringAsync($"{Path}/{final.GetProperty("id").GetString()}/input_items?limit=100", TestContext.Current.CancellationToken);
        Assert.Equal(11, JsonDocument.Parse(items).RootElement.GetProperty("data").GetArrayLength());
    }

    [Fact]
    public async Task The_engines_context_is_kept()
    {
        await using var engine = new EmbeddedChatBackend(ModelPackage.Load(Fixtures.BundledModel), new EngineOptions { KvBytes = 32 << 20, Threads = 1, ContextLength = 256 });
        await using ServerHarness harness = await ServerHarness.StartAsync(fill: false);
        harness.Slot.Fill([engine], engine);
        string history = string.Join(',', Enumerable.Range(0, 40).Select(turn => $$"""{"role":"user","content":"question number {{turn}}"},{"role":"assistant","content":"answer number {{turn}}"}"""));
        string body = $$"""{"model":"glm-4.7","max_output_tokens":16,"reasoning":{"effort":"none"},"truncation":"auto","input":[{{history}},{"role":"user","content":"the last one"}]}""";
        JsonElement made = await harness.ChatAsync(body, Path);
        int prompt = made.GetProperty("usage").GetProperty("input_tokens").GetInt32();
        Assert.InRange(prompt, 256 - 16 - 1 - 40, 256 - 16 - 1);
        using HttpResponseMessage refused = await harness.PostAsync(body.Replace("auto", "disabled", StringComparison.Ordinal), Path);
        Assert.Equal(400, (int)refused.StatusCode);
    }

    /// <summary>The conversation that the model saw: calls as !, with their outputs behind them.</summary>
    private string Seen() => string.Join(' ', _harness.Backend.LastRequest!.Conversation.Messages.Select(message => message switch
    {
        { Role: ChatRole.Assistant, ToolCalls.Count: > 0 } => "!",
        { Role: ChatRole.System } when Text(message) == "rules" => "R",
        _ => Text(message),
    })).Replace("! ", "!", StringComparison.Ordinal).Replace("A B", "AB", StringComparison.Ordinal);

    private static string Text(ChatMessage message) => string.Concat(message.Content.OfType<TextPart>().Select(part => part.Text));
}
