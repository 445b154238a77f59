using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.Responses;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Responses;

/// <summary>Tools that take free text.</summary>
public sealed class CustomToolTests : IAsyncLifetime
{
    private const string Path = "/v1/responses";
    private const string Tools = """[{"type":"custom","name":"shell","description":"Runs a line"},{"type":"custom","name":"day","format":{"type":"grammar","syntax":"regex","definition":"[a-z]+day"}}]""";
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("""{"input":"ls -l\n\"a\" \\ \u00e9 \ud83d\ude00 世 \/"}""", "ls -l\n\"a\" \\ é 😀 世 /")]
    [InlineData("""{ "input" : "" }""", "")]
    [InlineData("""{"other":1,"input":"late"}""", "late")]
    [InlineData("""{"command":"x"}""", """{"command":"x"}""")]
    [InlineData("""["x"]""", """["x"]""")]
    [InlineData("""{"input":"cut \ud83d""", "cut ")]
    [InlineData("""{"input":"alone \ud83d x"}""", "alone \ufffd x")]
    [InlineData("""{"input":"two \ud83d\u0041 \ud83d\n"}""", "two \ufffdA \ufffd\n")]
    [InlineData("", "")]
    public void The_text_is_the_same_however_its_arguments_are_cut(string arguments, string text)
    {
        Assert.Equal(text, CustomInput.Of(arguments));
        for (int size = 1; size <= arguments.Length; size++)
        {
            var input = new CustomInput();
            string said = string.Concat(arguments.Chunk(size).Select(piece => input.Add(new string(piece))));
            Assert.Equal(text, said + input.End());
        }
    }

    [Fact]
    public void What_is_wrapped_comes_out_again()
    {
        var random = new Random(7);
        for (int i = 0; i < 300; i++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(40)).Select(_ => random.Next(4) switch { 0 => "\\", 1 => "\"", 2 => char.ConvertFromUtf32(random.Next(0x1f600, 0x1f640)), _ => ((char)random.Next(1, 0xd7ff)).ToString() }));
            Assert.Equal(text, CustomInput.Of(CustomTool.ArgumentsOf(text)));
        }
    }

    [Fact]
    public async Task They_are_called_streamed_and_answered()
    {
        _harness.Backend.Script = _ => new(
            [new(ChatEventKind.ToolCallStart, "shell", 0), new(ChatEventKind.ToolCallArguments, "{\"inp", 0), new(ChatEventKind.ToolCallArguments, "ut\":\"ls \\", 0), new(ChatEventKind.ToolCallArguments, "n-l\"}", 0), new(ChatEventKind.ToolCallEnd, "", 0)],
            FinishReason.ToolCalls);
        string body = $$"""{"model":"glm-4.7","input":"list","store":true,"tools":{{Tools}},"tool_choice":{"type":"custom","name":"shell"}""";
        JsonElement whole = await _harness.ChatAsync(body + "}", Path);
        JsonElement call = whole.GetProperty("output")[0];
        Assert.Equal(("custom_tool_call", "shell", "ls \n-l"), (call.GetProperty("type").GetString(), call.GetProperty("name").GetString(), call.GetProperty("input").GetString()));
        Assert.Equal(new ToolChoice(ToolChoiceMode.Named, "shell"), _harness.Backend.LastRequest!.ToolChoice);
        Assert.Equal(
            """{"type":"function","function":{"name":"day","parameters":{"type":"object","properties":{"input":{"type":"string","description":"Free text, in the form that the tool takes","pattern":"^(?:[a-z]+day)$"}},"required":["input"],"additionalProperties":false},"strict":true}}""",
            _harness.Backend.LastRequest.Conversation.Tools[1].Json.GetRawText());

        using StreamReading reader = await StreamReading.BeginAsync(_harness, body + ",\"stream\":true}");
        List<JsonElement> events = [.. (await reader.ToEndAsync()).Select(one => JsonDocument.Parse(one).RootElement)];
        Assert.Equal(
            ["response.created", "response.in_progress", "response.output_item.added", "response.custom_tool_call_input.delta", "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "response.output_item.done", "response.completed"],
            events.Select(one => one.GetProperty("type").GetString()));
        Assert.Equal(["ls ", "\n-l"], events.Where(one => one.TryGetProperty("delta", out _)).Select(one => one.GetProperty("delta").GetString()));
        JsonElement final = events[^1].GetProperty("response");
        Assert.Equal(call.GetProperty("input").GetString(), final.GetProperty("output")[0].GetProperty("input").GetString());
        using StreamReading again = await StreamReading.ResumeAsync(_harness, final.GetProperty("id").GetString()!, null);
        Assert.Equal(reader.Events, await again.ToEndAsync());

        _harness.Backend.Script = static _ => ChatScript.Of("done");
        await _harness.ChatAsync(
            $$"""{"model":"glm-4.7","previous_response_id":"{{whole.GetProperty("id").GetString()}}","input":[{"type":"custom_tool_call_output","call_id":"{{call.GetProperty("call_id").GetString()}}","output":"files"}]}""", Path);
        var messages = _harness.Backend.LastRequest!.Conversation.Messages;
        Assert.Equal("""{"input":"ls \n-l"}""", messages[1].ToolCalls[0].Arguments);
        Assert.Equal("files", Assert.IsType<Dialogue.Conversations.TextPart>(messages[2].Content[0]).Text);
    }

    [Fact]
    public async Task Only_some_of_them_may_be_allowed()
    {
        await _harness.ChatAsync($$"""{"model":"glm-4.7","input":"x","tools":{{Tools}},"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"custom","name":"day"}] } }""", Path);
        Assert.Equal("day", Assert.Single(_harness.Backend.LastRequest!.Conversation.Tools).Name);
        Assert.Equal(ToolChoice.Required, _harness.Backend.LastRequest.ToolChoice);
    }

    [Theory]
    [InlineData("current_turn", true)]
    [InlineData("all_turns", false)]
    [InlineData("auto", false)]
    public async Task Reasoning_of_earlier_turns_stays_unless_it_is_to_go(string context, bool gone)
    {
        await _harness.ChatAsync($$"""{"model":"glm-4.7","input":"x","reasoning":{"context":"{{context}}"} }""", Path);
        Assert.Equal(gone, _harness.Backend.LastRequest!.Conversation.Options.ClearThinking);
    }
}
