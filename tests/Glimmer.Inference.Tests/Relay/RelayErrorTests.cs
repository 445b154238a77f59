using System.Globalization;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Inference.Relay.Errors;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;
using static Glimmer.Inference.Tests.Relay.RelayCases;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>What a service refuses, and what becomes of it.</summary>
public sealed class RelayErrorTests
{
    /// <summary>Status and body of the service; code, fault and whether the client hears the service's words.</summary>
    public static TheoryData<int, string, BusinessCode, StartFault, bool> Table => new()
    {
        // The platform's codes.
        { 400, Native(1214), BusinessCode.ParameterInvalid, StartFault.Request, true },
        { 400, Native(1210), BusinessCode.CallIncorrect, StartFault.Request, true },
        { 400, Native(1212), BusinessCode.ModelUnsupported, StartFault.Request, true },
        { 400, Native(1261), BusinessCode.PromptTooLong, StartFault.Request, true },
        { 400, Native(1301), BusinessCode.ContentUnsafe, StartFault.Request, true },
        { 401, Native(1002), BusinessCode.Network, StartFault.Backend, false },
        { 429, Native(1113), BusinessCode.Network, StartFault.Backend, false },
        { 429, Native(1112), BusinessCode.Network, StartFault.Backend, false },
        { 403, Native(1220), BusinessCode.Network, StartFault.Backend, false },
        { 400, Native(1211), BusinessCode.Network, StartFault.Backend, false },
        { 429, Native(1309), BusinessCode.Network, StartFault.Backend, false },
        { 429, Native(1302), BusinessCode.Overloaded, StartFault.Busy, false },
        { 429, Native(1305), BusinessCode.Overloaded, StartFault.Busy, false },
        { 429, Native(1308), BusinessCode.Overloaded, StartFault.Busy, false },
        { 429, Native(1312), BusinessCode.ModelBusy, StartFault.Busy, false },
        { 500, Native(500), BusinessCode.Network, StartFault.Backend, false },
        { 500, Native(1234), BusinessCode.Network, StartFault.Backend, false },
        { 400, Native(1399), BusinessCode.CallIncorrect, StartFault.Request, true },
        { 200, """{"code":401,"msg":"token expired or incorrect","success":false}""", BusinessCode.Network, StartFault.Backend, false },
        { 200, Native(1113), BusinessCode.Network, StartFault.Backend, false },

        // OpenAI's and its kin's.
        { 400, """{"error":{"message":"the words","type":"invalid_request_error","param":"messages[0].content","code":null}}""", BusinessCode.ParameterInvalid, StartFault.Request, true },
        { 400, """{"error":{"message":"the words","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}""", BusinessCode.PromptTooLong, StartFault.Request, true },
        { 400, """{"error":{"message":"the words","code":"content_filter"}}""", BusinessCode.ContentUnsafe, StartFault.Request, true },
        { 401, """{"error":{"message":"the words","code":"invalid_api_key"}}""", BusinessCode.Network, StartFault.Backend, false },
        { 404, """{"error":{"message":"the words","code":"model_not_found"}}""", BusinessCode.Network, StartFault.Backend, false },
        { 429, """{"error":{"message":"the words","code":"rate_limit_exceeded"}}""", BusinessCode.Overloaded, StartFault.Busy, false },
        { 429, """{"error":{"message":"the words","code":"insufficient_quota"}}""", BusinessCode.Network, StartFault.Backend, false },
        { 402, """{"error":{"message":"Insufficient Balance"}}""", BusinessCode.Network, StartFault.Backend, false },
        { 422, """{"detail":[{"loc":["body","x"],"msg":"the words"}]}""", BusinessCode.CallIncorrect, StartFault.Request, true },
        { 400, """{"object":"error","message":"This model's maximum context length is 8 tokens, the words","type":"BadRequestError","code":400}""", BusinessCode.PromptTooLong, StartFault.Request, true },
        { 400, """{"error":{"code":400,"message":"the words","type":"exceed_context_size_error"}}""", BusinessCode.PromptTooLong, StartFault.Request, true },
        { 503, """{"error":{"message":"the words"}}""", BusinessCode.Overloaded, StartFault.Busy, false },
        { 500, "<html>the words</html>", BusinessCode.Network, StartFault.Backend, false },
        { 504, "", BusinessCode.Network, StartFault.Backend, false },
        { 413, "the words", BusinessCode.CallIncorrect, StartFault.Request, true },

        // Anthropic's.
        { 400, """{"type":"error","error":{"type":"invalid_request_error","message":"the words"}}""", BusinessCode.CallIncorrect, StartFault.Request, true },
        { 400, """{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: the words"}}""", BusinessCode.PromptTooLong, StartFault.Request, true },
        { 400, """{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low, the words"}}""", BusinessCode.Network, StartFault.Backend, false },
        { 401, """{"type":"error","error":{"type":"authentication_error","message":"the words"}}""", BusinessCode.Network, StartFault.Backend, false },
        { 529, """{"type":"error","error":{"type":"overloaded_error","message":"the words"}}""", BusinessCode.Overloaded, StartFault.Busy, false },

        // Neither.
        { 302, "", BusinessCode.Network, StartFault.Backend, false },
        { 418, """["the words"]""", BusinessCode.Network, StartFault.Backend, false },
        { 200, """{"id":"c","choices":[{"message":{"content":"the words"}}]}""", BusinessCode.Network, StartFault.Backend, false },
        { 200, "[", BusinessCode.Network, StartFault.Backend, false },
        { 400, """{"error":{"message":"\ud800 the words"}}""", BusinessCode.CallIncorrect, StartFault.Request, false },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public async Task A_refusal_is_told_to_whom_it_concerns(int status, string body, BusinessCode code, StartFault fault, bool quoted)
    {
        LogLines log = new();
        await using FakeUpstream upstream = FakeUpstream.Json(status, body);
        Told told = await AskAsync(upstream, Ask(), status == 529 ? BackendKind.Anthropic : BackendKind.Zai, log);
        Assert.Null(told.Start.Answer);
        Assert.Equal((code, fault), (told.Start.Error!.Code, told.Start.Fault));
        Assert.Equal(quoted, told.Start.Error.Message.Contains("the words", StringComparison.Ordinal));
        Assert.Single(log.Lines);
    }

    [Fact]
    public async Task A_fault_of_the_operators_account_is_an_error_in_the_log_and_in_the_probe_and_goes_with_the_next_success()
    {
        LogLines log = new();
        bool pays = false;
        await using FakeUpstream upstream = FakeUpstream.Start(exchange => exchange.Path.EndsWith("/models", StringComparison.Ordinal)
            ? exchange.RespondAsync(200, """{"data":[{"id":"far-model"},{"id":"other"}]}""")
            : pays ? exchange.StreamAsync(Chunks("stop", """{"content":"a"}""")) : exchange.RespondAsync(429, Native(1113)));
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address, BackendKind.Zai), TimeProvider.System, log);
        Assert.Equal("It lists 2 models.", (await backend.ProbeAsync(default)).Detail);

        ChatStart start = await backend.StartAsync(Ask(), default);
        Assert.Equal("The model glm-4.7 cannot answer now: the service behind it refuses this platform. Please try again later.", start.Error!.Message);
        Assert.Contains(log.Lines, static line => line is { Level: LogLevel.Error, Id: 6102 } && line.Text.Contains("429 1113: the words", StringComparison.Ordinal));
        BackendProbe probe = await backend.ProbeAsync(default);
        Assert.Equal((true, "It lists 2 models. Its last answer was a refusal: 429 1113 the words"), (probe.Alive, probe.Detail));

        pays = true;
        await AskAsync(backend, Ask());
        Assert.Equal("It lists 2 models.", (await backend.ProbeAsync(default)).Detail);
    }

    [Fact]
    public async Task Secrets_are_told_to_nobody()
    {
        LogLines log = new();
        string body = $$"""{"error":{"message":"Incorrect key {{Key}} or {{Key[..20]}}... or Bearer abcdef012345 or sk-other-key-99 given, and {{new string('x', 400)}}","code":"1214"} }""";
        await using FakeUpstream upstream = FakeUpstream.Start(exchange => exchange.RespondAsync(exchange.Method == "GET" ? 401 : 400, body));
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address, BackendKind.Zai) with { Headers = new Dictionary<string, string> { ["X-Own"] = "other-secret-value" } }, TimeProvider.System, log);
        ChatStart start = await backend.StartAsync(Ask(), default);
        BackendProbe probe = await backend.ProbeAsync(default);
        Assert.False(probe.Alive);
        foreach (string text in new[] { start.Error!.Message, probe.Detail, log.All })
        {
            Assert.Contains("[redacted]", text, StringComparison.Ordinal);
            foreach (string secret in new[] { Key[..8], Key[^8..], "abcdef012345", "other-key" })
                Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
        }

        Assert.True(start.Error.Message.Length <= Secrets.MaxQuote);
        Assert.Equal(("Bearer " + Key, "other-secret-value"), (upstream.Requests.First().Headers["Authorization"], upstream.Requests.First().Headers["X-Own"]));
    }

    [Theory]
    [InlineData("7", 7)]
    [InlineData("99999", 3600)]
    [InlineData("-5", null)]
    [InlineData("soon", null)]
    public async Task The_time_to_come_back_is_told(string header, int? seconds)
    {
        await using FakeUpstream upstream = FakeUpstream.Start(exchange => exchange.RespondAsync(429, Native(1305), headers: ("Retry-After", header)));
        ChatStart start = (await AskAsync(upstream, Ask())).Start;
        Assert.Equal(seconds, (int?)start.Error!.RetryAfter?.TotalSeconds);
    }

    [Fact]
    public async Task A_service_that_is_not_there_is_the_backends_fault()
    {
        var address = new Uri($"http://127.0.0.1:{LoopbackPorts.Take()}");
        await using IRemoteBackend backend = RelayBackends.Create(Define(address), TimeProvider.System, new LogLines());
        ChatStart start = await backend.StartAsync(Ask(), default);
        Assert.Equal((StartFault.Backend, BusinessCode.Network), (start.Fault, start.Error!.Code));
        Assert.False((await backend.ProbeAsync(default)).Alive);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        await using FakeUpstream other = FakeUpstream.Stream(Chunks("stop", """{"content":"stolen"}"""));
        await using FakeUpstream upstream = FakeUpstream.Start(exchange => exchange.RespondAsync(307, "", headers: ("Location", other.Address.ToString())));
        Assert.Equal(StartFault.Backend, (await AskAsync(upstream, Ask())).Start.Fault);
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address), TimeProvider.System, new LogLines());
        BackendProbe probe = await backend.ProbeAsync(default);
        Assert.False(probe.Alive);
        Assert.Contains("redirect", probe.Detail, StringComparison.Ordinal);
        Assert.Empty(other.Requests);
    }

    [Theory]
    [InlineData(200, """{"data":[{"id":"x"}]}""", true, "It lists 1 models, but not far-model.")]
    [InlineData(200, "[]", true, "It answers, but not with a list of models.")]
    [InlineData(200, """{"code":401,"msg":"bad","success":false}""", false, "It refuses (401): bad")]
    [InlineData(401, """{"error":{"message":"bad"}}""", false, "It refuses the key (401): bad")]
    [InlineData(404, "", true, "It answers, but has no list of models (404). Check the path of its address if chats fail too.")]
    [InlineData(500, "", false, "It answers with 500.")]
    public async Task A_probe_asks_for_the_models(int status, string body, bool alive, string detail)
    {
        await using FakeUpstream upstream = FakeUpstream.Json(status, body);
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address, BackendKind.Anthropic), TimeProvider.System, new LogLines());
        BackendProbe probe = await backend.ProbeAsync(default);
        Assert.Equal((alive, detail), (probe.Alive, probe.Detail));
        FakeExchange asked = upstream.Requests.Single();
        Assert.Equal(("GET", "/v1/models", Key, "2023-06-01"), (asked.Method, asked.Path, asked.Headers["x-api-key"], asked.Headers["anthropic-version"]));
    }

    [Theory]
    [InlineData("ftp://x", null, null, null)]
    [InlineData("http://u:p@x", null, null, null)]
    [InlineData("http://x", "a b", null, null)]
    [InlineData("http://x", "k\r\nX: y", null, null)]
    [InlineData("http://x", null, "X:", "y")]
    [InlineData("http://x", null, "X", "y\nZ: 1")]
    [InlineData("http://x", null, "Content-Encoding", "gzip")]
    public void A_definition_that_cannot_be_used_is_refused_without_telling_secrets(string url, string? key, string? name, string? value)
    {
        BackendDefinition definition = Define(new Uri("http://x")) with { Url = new Uri(url), ApiKey = key, Headers = name is null ? new Dictionary<string, string>() : new() { [name] = value! } };
        ArgumentException fault = Assert.Throws<ArgumentException>(() => RelayBackends.Create(definition, TimeProvider.System, new LogLines()));
        Assert.Contains("up", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("u:p", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_log_has_the_services_id_of_the_request_and_short_headers_are_no_secrets()
    {
        LogLines log = new();
        await using FakeUpstream upstream = FakeUpstream.Start(exchange => exchange.RespondAsync(400, """{"error":{"message":"a neural word"}}""", headers: ("x-request-id", "req_011CSX")));
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address) with { Headers = new Dictionary<string, string> { ["X-Region"] = "eu" } }, TimeProvider.System, log);
        Assert.Equal("a neural word", (await backend.StartAsync(Ask(), default)).Error!.Message);
        Assert.Contains("req_011CSX", log.All, StringComparison.Ordinal);
        Assert.Equal("eu", upstream.Requests.Single().Headers["X-Region"]);
    }

    [Fact]
    public void A_definition_that_is_written_out_shows_no_secrets() =>
        Assert.Equal("up (OpenAI at http://x/)", Define(new Uri("http://x")).ToString());

    [Fact]
    public async Task A_model_that_is_not_in_the_definition_is_refused()
    {
        await using FakeUpstream upstream = FakeUpstream.Json(200, "");
        ChatStart start = (await AskAsync(upstream, Ask() with { Model = "other" })).Start;
        Assert.Equal((BusinessCode.ModelMissing, StartFault.Request), (start.Error!.Code, start.Fault));
        Assert.Empty(upstream.Requests);
    }

    private static string Native(int code) => $$"""{"error":{"code":"{{code.ToString(CultureInfo.InvariantCulture)}}","message":"the words"} }""";
}
