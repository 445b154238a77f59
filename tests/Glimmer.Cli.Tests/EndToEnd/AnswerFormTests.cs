using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Constraints.Schemas.Validation;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>What a request demands of the answer's form holds over HTTP, with thinking and without, streamed and plain.</summary>
[Collection(TinyServerTests.Name)]
public sealed class AnswerFormTests(TinyServer server)
{
    private const string Schema = """
        {"type":"object","properties":{"mood":{"enum":["sleepy","awake"]},"n":{"type":"integer","minimum":3,"maximum":12}},"required":["mood","n"],"additionalProperties":false}
        """;

    private const string Tools = """
        [{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"enum":["Bonn","Ulm"]},"days":{"type":"integer","minimum":1,"maximum":9}},"required":["city","days"],"additionalProperties":false}}},
         {"type":"function","function":{"name":"set_alarm","parameters":{"type":"object","properties":{"hour":{"type":"integer","minimum":0,"maximum":23}},"required":["hour"],"additionalProperties":false}}}]
        """;

    public static TheoryData<bool, bool> Ways => new() { { false, false }, { false, true }, { true, false }, { true, true } };

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_schema_holds(bool thinking, bool stream)
    {
        JsonSchemaValidator validator = new(Json(Schema));
        foreach (string strict in (string[])["true", "false"])
        {
            SaidAnswer said = await AskAsync(thinking, stream, $$$""" "response_format":{"type":"json_schema","json_schema":{"name":"a","strict":{{{strict}}},"schema":{{{Schema}}}}} """);
            Assert.Equal("stop", said.Finish);
            Assert.Empty(validator.Validate(Json(said.Content)));
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_demanded_call_is_made_with_arguments_of_the_schema(bool thinking, bool stream)
    {
        foreach (string choice in (string[])["\"required\"", """{"type":"function","function":{"name":"set_alarm"}}"""])
        {
            foreach (string parallel in (string[])["true", "false"])
            {
                SaidAnswer said = await AskAsync(thinking, stream, $""" "tools":{Tools},"tool_choice":{choice},"parallel_tool_calls":{parallel} """);
                Assert.NotEmpty(said.CallList);
                Assert.Equal("", said.Content.Trim());
                if (parallel == "false")
                    Assert.Equal("tool_calls", (Assert.Single(said.CallList), said.Finish).Finish);
                Assert.All(said.CallList, call => AssertValid(call, named: choice[0] == '{'));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task An_expression_or_a_grammar_holds(bool thinking, bool stream)
    {
        SaidAnswer date = await AskAsync(thinking, stream, """ "response_format":{"type":"regex","regex":"20[0-9]{2}-(0[1-9]|1[0-2])"} """);
        Assert.Matches(new Regex("^20[0-9]{2}-(0[1-9]|1[0-2])$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture), date.Content);
        SaidAnswer list = await AskAsync(thinking, stream, """ "response_format":{"type":"grammar","grammar":"root ::= item (\", \" item){2}\nitem ::= \"red\" | \"green\""} """);
        Assert.Matches(new Regex("^(red|green)(, (red|green)){2}$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture), list.Content);
        Assert.Equal(("stop", "stop"), (date.Finish, list.Finish));

        // Offered tools do not loosen it.
        SaidAnswer either = await AskAsync(thinking, stream, $$""" "tools":{{Tools}},"response_format":{"type":"regex","regex":"yes|no"} """);
        if (either.CallList.Count == 0)
            Assert.Contains(either.Content, (string[])["yes", "no"]);
        else
            Assert.All(either.CallList, call => AssertValid(call, named: false));
    }

    [Theory]
    [InlineData("""{"type":"regex","regex":"a(b"}""", "response_format.regex", "Line 1, column")]
    [InlineData("""{"type":"regex","regex":"(?=a)b"}""", "response_format.regex", "Line 1, column")]
    [InlineData("""{"type":"grammar","grammar":"root ::= \"a\"\nroot ::= \"b\""}""", "response_format.grammar", "Line 2, column 1")]
    [InlineData("""{"type":"grammar","grammar":"root ::= other"}""", "response_format.grammar", "other")]
    [InlineData("""{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":{"type":"object","properties":{"a":{"type":"array","uniqueItems":true}}}}}""", "/properties/a", "uniqueItems")]
    public async Task What_cannot_be_enforced_is_named(string format, params string[] parts)
    {
        using HttpResponseMessage response = await PostAsync(Body(false, false, $"\"response_format\":{format}"));
        JsonElement error = Json(await response.Content.ReadAsStringAsync()).GetProperty("error");
        Assert.Equal((HttpStatusCode.BadRequest, "1214"), (response.StatusCode, error.GetProperty("code").GetString()));
        Assert.All(parts.Where(part => !part.StartsWith("response_format", StringComparison.Ordinal)), part => Assert.Contains(part, error.GetProperty("message").GetString()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_relaxed_is_told_in_a_header(bool stream)
    {
        const string Loose = """ "response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{"größe":{"type":"array","uniqueItems":true,"maxItems":2,"items":{"type":"boolean"}}},"required":["größe"],"additionalProperties":false}}} """;
        using HttpResponseMessage relaxed = await PostAsync(Body(false, stream, Loose));
        using HttpResponseMessage strict = await PostAsync(Body(false, stream, $$$""" "response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{{{Schema}}}}} """));
        Assert.Equal("/properties/gr%C3%B6%C3%9Fe uniqueItems", Assert.Single(relaxed.Headers.GetValues("X-Glimmer-Relaxed")));
        Assert.False(strict.Headers.Contains("X-Glimmer-Relaxed"));
        if (!stream)
            Assert.True(Json(SaidAnswer.Read(Json(await relaxed.Content.ReadAsStringAsync())).Content).TryGetProperty("größe", out _));
    }

    [Theory]
    [InlineData("true", "")]
    [InlineData("false", "/tools/1/function/parameters/properties/days uniqueItems")]
    public async Task What_a_tool_demands_in_vain_is_named_by_its_place_in_the_request(string strict, string header)
    {
        string tools = """[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"b","strict":STRICT,"parameters":{"type":"object","properties":{"days":{"type":"array","uniqueItems":true,"maxItems":2,"items":{"type":"boolean"}}},"required":["days"],"additionalProperties":false}}}]""".Replace("STRICT", strict, StringComparison.Ordinal);
        using HttpResponseMessage response = await PostAsync(Body(false, false, $$$""" "tools":{{{tools}}},"tool_choice":{"type":"function","function":{"name":"b"}},"parallel_tool_calls":false """));
        JsonElement body = Json(await response.Content.ReadAsStringAsync());
        if (header.Length > 0)
        {
            Assert.Equal(header, Assert.Single(response.Headers.GetValues("X-Glimmer-Relaxed")));
            Assert.Equal("b", Assert.Single(SaidAnswer.Read(body).CallList).Name);
            return;
        }

        Assert.Equal("1214", body.GetProperty("error").GetProperty("code").GetString());
        Assert.Contains("'uniqueItems' at '/tools/1/function/parameters/properties/days'", body.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_spent_thinking_budget_leads_to_the_answer(bool stream)
    {
        KnownRequest known = KnownRequest.All.First(known => known.Thinking && known.Row.Right);
        SaidAnswer free = await server.AskAsync(known.Body(("stream", stream)));
        SaidAnswer led = await server.AskAsync(known.Body(("stream", stream), ("max_tokens", 300), ("thinking", new { type = "enabled", budget_tokens = 3 })));
        Assert.True(free.ReasoningTokens > 4, $"{free.ReasoningTokens} tokens of reasoning are too few for this test");
        Assert.InRange(led.ReasoningTokens, 3, 4);
        Assert.StartsWith(led.Reasoning, free.Reasoning, StringComparison.Ordinal);
        Assert.NotEqual("", led.Content + led.Calls);
        Assert.DoesNotContain("think>", led.Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Earlier_reasoning_costs_tokens_on_the_coding_base_only()
    {
        const string Messages = """[{"role":"user","content":"a"},{"role":"assistant","content":"b","reasoning_content":"because of the weather"},{"role":"user","content":"c"}]""";
        using JsonDocument json = JsonDocument.Parse($$"""{"messages":{{Messages}}}""");
        Assert.True(ConversationReader.TryRead(json.RootElement, out Conversation? conversation, out _));
        foreach ((string path, bool clear) in ((string, bool)[])[("/api/paas/v4", true), ("/api/coding/paas/v4", false)])
        {
            int[] expected = server.Package.Generation.Render(conversation with { Options = new() { ClearThinking = clear } }, server.Package.Tokenizer).Prompt!.Tokens;
            using HttpResponseMessage response = await server.Client.PostAsync(
                new Uri(path + "/chat/completions", UriKind.Relative),
                new StringContent($$"""{"model":"glimmer-tiny","max_tokens":1,"messages":{{Messages}}}""", Encoding.UTF8, "application/json"));
            Assert.Equal(expected.Length, SaidAnswer.Read(Json(await response.Content.ReadAsStringAsync())).PromptTokens);
            Assert.Equal(!clear, server.Package.Tokenizer.Decode(expected).Contains("because of the weather", StringComparison.Ordinal));
        }
    }

    private static void AssertValid(SaidCall call, bool named)
    {
        JsonElement function = Json(Tools).EnumerateArray().Select(tool => tool.GetProperty("function")).Single(function => function.GetProperty("name").GetString() == call.Name);
        Assert.Empty(new JsonSchemaValidator(function.GetProperty("parameters")).Validate(Json(call.Arguments)));
        if (named)
            Assert.Equal("set_alarm", call.Name);
    }

    private async Task<SaidAnswer> AskAsync(bool thinking, bool stream, string fields)
    {
        using HttpResponseMessage response = await PostAsync(Body(thinking, stream, fields));
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        if (stream)
            return await SaidAnswer.ReadStreamAsync(await response.Content.ReadAsStreamAsync(), TestContext.Current.CancellationToken);
        return SaidAnswer.Read(Json(await response.Content.ReadAsStringAsync()));
    }

    private Task<HttpResponseMessage> PostAsync(string body) =>
        server.Client.PostAsync(new Uri("/api/paas/v4/chat/completions", UriKind.Relative), new StringContent(body, Encoding.UTF8, "application/json"));

    private static string Body(bool thinking, bool stream, string fields) =>
        $$$"""{"model":"glimmer-tiny","do_sample":false,"max_tokens":600,"stream":{{{(stream ? "true" : "false")}}},"thinking":{"type":"{{{(thinking ? "enabled" : "disabled")}}}","budget_tokens":12},"messages":[{"role":"user","content":"How is the weather in Bonn?"}],{{{fields}}}}""";

    private static JsonElement Json(string text) => JsonSerializer.Deserialize<JsonElement>(text);
}
