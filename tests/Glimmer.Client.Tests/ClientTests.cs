using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Client.Tests.Support;

namespace Glimmer.Client.Tests;

/// <summary>Credentials, errors, requests on the wire and the tool loop's corners.</summary>
public sealed class ClientTests
{
    [Fact]
    public void A_token_is_signed_with_milliseconds_and_kept_until_half_a_minute_before_its_end()
    {
        var clock = new Clock();
        var credential = new Credential("id.secret", new GlimmerClientOptions { SignTokens = true, Time = clock });
        string token = credential.Current();
        string[] parts = token.Split('.');
        Assert.Equal("""{"alg":"HS256","sign_type":"SIGN"}""", Encoding.UTF8.GetString(Base64Url.DecodeFromChars(parts[0])));
        long now = clock.Now.ToUnixTimeMilliseconds();
        Assert.Equal($$"""{"api_key":"id","exp":{{now + 210_000}},"timestamp":{{now}}}""", Encoding.UTF8.GetString(Base64Url.DecodeFromChars(parts[1])));
        Assert.Equal(HMACSHA256.HashData("secret"u8, Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}")), Base64Url.DecodeFromChars(parts[2]));
        clock.Now = clock.Now.AddSeconds(179);
        Assert.Same(token, credential.Current());
        clock.Now = clock.Now.AddSeconds(2);
        Assert.NotEqual(token, credential.Current());
    }

    [Theory]
    [InlineData("nodot")]
    [InlineData(".secret")]
    [InlineData("id.")]
    [InlineData("a.b.c")]
    public void Only_a_key_with_a_secret_signs(string key) =>
        Assert.Throws<ArgumentException>(() => new GlimmerClient(new GlimmerClientOptions { ApiKey = key, SignTokens = true }));

    [Fact]
    public void A_wrong_base_is_refused_and_options_never_show_the_key()
    {
        var options = new GlimmerClientOptions { ApiKey = "id.secret", BaseUrl = new Uri("ftp://x") };
        Assert.Throws<ArgumentException>(() => new GlimmerClient(options));
        Assert.DoesNotContain("secret", options.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(401, """{"error":{"code":"1002","message":"bad"}}""", typeof(GlimmerAuthenticationException), 1002, null)]
    [InlineData(403, """{"error":{"code":"1220","message":"no"}}""", typeof(GlimmerAuthenticationException), 1220, null)]
    [InlineData(400, """{"error":{"code":"1214","message":"The parameter top_p is invalid: it is 3. Send less."}}""", typeof(GlimmerInvalidRequestException), 1214, "top_p")]
    [InlineData(400, """{"error":{"message":"x","param":"messages[0]","code":null}}""", typeof(GlimmerInvalidRequestException), null, "messages[0]")]
    [InlineData(429, """{"error":{"code":"1302","message":"slow"}}""", typeof(GlimmerRateLimitException), 1302, null)]
    [InlineData(429, """{"error":{"code":"1113","message":"pay"}}""", typeof(GlimmerPlanLimitException), 1113, null)]
    [InlineData(429, """{"error":{"code":"1305","message":"busy"}}""", typeof(GlimmerOverloadedException), 1305, null)]
    [InlineData(500, """{"code":500,"msg":"oh","success":false}""", typeof(GlimmerServerException), 500, null)]
    [InlineData(502, "<html>bad gateway</html>", typeof(GlimmerServerException), null, null)]
    [InlineData(503, "", typeof(GlimmerOverloadedException), null, null)]
    [InlineData(429, "[1]", typeof(GlimmerRateLimitException), null, null)]
    [InlineData(404, """{"error":"gone"}""", typeof(GlimmerInvalidRequestException), null, null)]
    public void Errors_have_kinds(int status, string body, Type kind, int? code, string? field)
    {
        GlimmerException fault = ErrorReader.Read((System.Net.HttpStatusCode)status, body, "r", null);
        Assert.IsType(kind, fault);
        Assert.Equal(code, fault.Code);
        Assert.Equal(field, fault.Field);
        Assert.Equal("r", fault.RequestId);
        Assert.NotEqual("", fault.Message);
    }

    [Fact]
    public void A_plan_limit_tells_when_it_resets()
    {
        var fault = Assert.IsType<GlimmerPlanLimitException>(ErrorReader.Read(
            System.Net.HttpStatusCode.TooManyRequests, """{"error":{"code":"1308","message":"Usage limit reached for 5 hour. The limit resets at 2026-03-04 05:06:07"}}""", null, null));
        Assert.Equal(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.FromHours(8)), fault.ResetsAt);
    }

    [Fact]
    public void A_request_is_written_with_every_field_and_nothing_that_is_not_set()
    {
        var request = new CompletionRequest
        {
            Model = "m",
            Messages =
            [
                Message.User(new MessageContent([ContentPart.OfText("see 世界"), ContentPart.OfImage("aGk=")])),
                new Message { Role = "assistant", ToolCalls = [new ToolCall { Id = "c", Function = new FunctionCall { Name = "f", Arguments = "{}" } }] },
                Message.Tool("c", "ok"),
            ],
            Thinking = Thinking.Disabled,
            ToolChoice = ToolChoice.Function("f"),
            ResponseFormat = ResponseFormat.Schema("s", new JsonObject { ["type"] = "object" }),
            Tools = [Tool.OfFunction("f", "does", new ToolParameters().Text("t", "T", required: false, "a", "b").Whole("n", "N").ToSchema())],
            Stop = ["x"],
            CodeTarget = new JsonObject { ["target"] = new JsonObject { ["language"] = "c" } },
            Extra = new JsonObject { ["top_k"] = 5 },
        };
        const string Expected = """
            {"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"see 世界"},{"type":"image_url","image_url":{"url":"aGk="}}]},
            {"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"ok","tool_call_id":"c"}],
            "thinking":{"type":"disabled"},"stop":["x"],
            "tools":[{"type":"function","function":{"name":"f","description":"does","parameters":{"type":"object","properties":{"t":{"type":"string","description":"T","enum":["a","b"]},"n":{"type":"integer","description":"N"}},"required":["n"]}}}],
            "tool_choice":{"type":"function","function":{"name":"f"}},"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"},"strict":false}},
            "extra":{"target":{"language":"c"}},"top_k":5}
            """;
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(Expected), JsonNode.Parse(request.ToUtf8Json())), Encoding.UTF8.GetString(request.ToUtf8Json()));
        Assert.Contains("世界", Encoding.UTF8.GetString(request.ToUtf8Json()), StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_is_read_whatever_is_missing_or_new()
    {
        Completion answer = Completion.Parse("""
            {"choices":[{"message":{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"tool_calls":[{"id":"c","function":{"name":"f","arguments":{"x":1}}}],"audio":{"id":"9"}}}],"web_search":[{"title":"t"}]}
            """u8);
        Assert.Equal("ab", answer.Text);
        Assert.Equal("", answer.Id);
        Assert.Equal("{\"x\":1}", answer.Message!.ToolCalls![0].Function!.Arguments);
        Assert.Equal("function", answer.Message.ToolCalls[0].Type);
        Assert.Equal("9", (string?)answer.Message.Extra!["audio"]!["id"]);
        Assert.Equal("t", (string?)answer.Extra!["web_search"]![0]!["title"]);
        Assert.Empty(Completion.Parse("{}"u8).Choices);
        Assert.Throws<JsonException>(() => Completion.Parse("null"u8));
    }

    [Fact]
    public async Task The_tool_loop_tells_the_model_what_went_wrong_and_ends()
    {
        var chat = new Calls("""{"id":"1","function":{"name":"none","arguments":"{}"}},{"id":"2","function":{"name":"f","arguments":"[]"}},{"id":"3","function":{"name":"f","arguments":"{"}},{"id":"4","function":{"name":"f","arguments":"{}"}}""");
        var function = new ToolFunction("f", "fails", new ToolParameters(), _ => throw new ToolException("not today"));
        var fault = await Assert.ThrowsAsync<GlimmerException>(() => chat.RunToolsAsync(
            new CompletionRequest { Model = "m", Messages = [Message.User("x")], ToolChoice = ToolChoice.Required }, [function], maxRounds: 2));
        Assert.Contains("2 rounds", fault.Message, StringComparison.Ordinal);
        Assert.Equal(ToolChoice.Required, chat.Requests[0].ToolChoice);
        Assert.Null(chat.Requests[1].ToolChoice);
        Assert.Equal(
            ["Error: there is no function none. The functions are: f.", "Error: the arguments are not a JSON object.", "Error: the arguments are not a JSON object.", "Error: not today"],
            chat.Requests[1].Messages.Where(message => message.Role == "tool").Select(message => message.Content!.Text));
        var broken = new ToolFunction("f", "breaks", new ToolParameters(), _ => throw new InvalidOperationException("bug"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => chat.RunToolsAsync(new CompletionRequest { Model = "m", Messages = [Message.User("x")] }, [broken]));
    }

    private sealed class Calls(string calls) : IGlimmerChat
    {
        public List<CompletionRequest> Requests { get; } = [];

        public Task<Completion> CompleteAsync(CompletionRequest request, CancellationToken cancel = default)
        {
            Requests.Add(request);
            return Task.FromResult(Completion.Parse(Encoding.UTF8.GetBytes("{\"choices\":[{\"message\":{\"role\":\"assistant\",\"tool_calls\":[" + calls + "]}}]}")));
        }

        public IAsyncEnumerable<CompletionChunk> StreamAsync(CompletionRequest request, CancellationToken cancel = default) => throw new NotSupportedException();
    }

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
