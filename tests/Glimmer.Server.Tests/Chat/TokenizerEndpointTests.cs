using System.Net.Http.Headers;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Chat;

public sealed class TokenizerEndpointTests : IAsyncLifetime
{
    private const string Path = "/api/paas/v4/tokenizer";
    private const string Plain = """{"model":"glm-4.6","messages":[{"role":"user","content":"What time is it?"}]}""";
    private const string Tool = """{"type":"function","function":{"name":"get_time","description":"Tells the time","parameters":{"type":"object","properties":{"zone":{"type":"string"}}}}}""";
    private ServerHarness _harness = null!;

    /// <summary>Every shape of prompt; the counts must follow all of them.</summary>
    public static TheoryData<string> Shapes =>
    [
        Plain,
        """{"model":"glm-4.6","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"text","text":" there"}]}]}""",
        Plain.Replace("{\"model\"", $"{{\"tools\":[{Tool}],\"model\"", StringComparison.Ordinal),
        Plain.Replace("{\"model\"", $"{{\"tools\":[{Tool}],\"tool_choice\":\"none\",\"model\"", StringComparison.Ordinal),
        Plain.Replace("{\"model\"", "{\"thinking\":{\"type\":\"disabled\"},\"model\"", StringComparison.Ordinal),
        Plain.Replace("{\"model\"", "{\"reasoning_effort\":\"none\",\"model\"", StringComparison.Ordinal),
        """{"model":"glm-4.6","thinking":{"clear_thinking":false},"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","reasoning_content":"c because d"},{"role":"user","content":"e"}]}""",
        """{"model":"glm-4.6","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","reasoning_content":"c because d"},{"role":"user","content":"e"}]}""",
        """{"model":"glm-4.6","messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","content":"y","tool_call_id":"1"}]}""",
        """{"model":"emohaa","meta":{"user_info":"a","bot_info":"b","bot_name":"c","user_name":"d"},"messages":[{"role":"user","content":"hi"}]}""",
        """{"model":"codegeex-4","extra":{"target":{"language":"C#","code_prefix":"int a","code_suffix":";"}},"messages":[{"role":"user","content":"go"}]}""",
    ];

    public async ValueTask InitializeAsync()
    {
        _harness = await ServerHarness.StartAsync();
        _harness.Backend.Script = static request => ChatScript.Of("x") with { Usage = new ChatUsage(Length(request), 0, 1, 0) };
    }

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task The_count_is_what_a_chat_request_says(string body)
    {
        JsonElement chat = await _harness.ChatAsync(body);
        ChatRequest asked = _harness.Backend.LastRequest!;
        JsonElement usage = (await _harness.ChatAsync(body, Path)).GetProperty("usage");

        Assert.Equal(chat.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), usage.GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(asked.Conversation.Options, _harness.Backend.LastRequest!.Conversation.Options);
        Assert.Equal((0, 0), (usage.GetProperty("image_tokens").GetInt32(), usage.GetProperty("video_tokens").GetInt32()));
        Assert.Equal(usage.GetProperty("prompt_tokens").GetInt32(), usage.GetProperty("total_tokens").GetInt32());
    }

    [Fact]
    public async Task Shapes_differ_in_their_counts()
    {
        var counts = new HashSet<int>();
        foreach (TheoryDataRow<string> shape in Shapes)
            counts.Add((await _harness.ChatAsync(shape.Data, Path)).GetProperty("usage").GetProperty("prompt_tokens").GetInt32());

        // Only thinking that is switched off in one way or the other gives the same prompt, and tools that may not be used none.
        Assert.Equal(Shapes.Count - 2, counts.Count);
        Assert.Equal(0, _harness.Backend.Requests);
    }

    [Fact]
    public async Task The_answer_has_ids_time_and_the_name_of_the_stand_in()
    {
        using HttpResponseMessage response = await _harness.PostAsync(Plain.Replace("{\"model\"", "{\"request_id\":\"my-request\",\"user_id\":\"someone\",\"model\"", StringComparison.Ordinal), Path);
        JsonElement body = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;

        Assert.Equal("application/json", response.Content.Headers.ContentType?.ToString());
        Assert.Equal(["id", "created", "request_id", "usage"], body.EnumerateObject().Select(member => member.Name));
        Assert.Equal(response.Headers.GetValues("x-request-id").Single(), body.GetProperty("id").GetString());
        Assert.Equal("my-request", body.GetProperty("request_id").GetString());
        Assert.InRange(body.GetProperty("created").GetInt64(), DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 60, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 1);
        Assert.Equal("glimmer-tiny; stand-in-for=glm-4.6", response.Headers.GetValues("X-Glimmer-Model").Single());
        using HttpResponseMessage own = await _harness.PostAsync(Plain.Replace("glm-4.6", "glimmer-tiny", StringComparison.Ordinal), Path);
        Assert.False(own.Headers.Contains("X-Glimmer-Model"));
    }

    [Fact]
    public async Task Fields_that_do_not_shape_the_prompt_are_ignored()
    {
        JsonElement plain = await _harness.ChatAsync(Plain, Path);
        JsonElement full = await _harness.ChatAsync(Plain.Replace("{\"model\"", "{\"stream\":true,\"temperature\":\"hot\",\"stop\":7,\"new_field\":{},\"model\"", StringComparison.Ordinal), Path);

        Assert.Equal(plain.GetProperty("usage").ToString(), full.GetProperty("usage").ToString());
    }

    [Theory]
    [InlineData("", 400, "1210", "empty")]
    [InlineData("[]", 400, "1210", "object")]
    [InlineData("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1213", "model")]
    [InlineData("{\"model\":\"glm-4.6\"}", 400, "1213", "messages")]
    [InlineData("{\"model\":\"glm-4.6\",\"messages\":\"hi\"}", 400, "1214", "messages")]
    [InlineData("{\"model\":\"glm-4.6\",\"messages\":[{\"role\":\"narrator\",\"content\":\"x\"}]}", 400, "1214", "messages[0].role")]
    [InlineData("{\"model\":\"glm-4.6\",\"request_id\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1214", "request_id")]
    [InlineData("{\"model\":\"glm-4.6\",\"thinking\":{\"type\":\"maybe\"},\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1214", "thinking.type")]
    [InlineData("{\"model\":\"glm-4.6\",\"tools\":[{\"type\":\"function\"}],\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1213", "tools[0].function")]
    [InlineData("{\"model\":\"glm-4.6\",\"tools\":[{\"type\":\"web_search\",\"web_search\":{}}],\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1212", "tools[0].type")]
    [InlineData("{\"model\":\"glm-9\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1211", "glm-9")]
    [InlineData("{\"model\":\"glm-4.6v\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1211", "no backend")]
    [InlineData("{\"model\":\"embedding-3\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1212", "tokenizer")]
    [InlineData("{\"model\":\"emohaa\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1213", "meta")]
    [InlineData("{\"model\":\"glm-4.6\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"AAAA\"}}]}]}", 400, "1212", "messages[0].content[0]")]
    public async Task A_bad_request_gets_status_code_and_the_name_of_the_field(string body, int status, string code, string part)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, Path);
        JsonElement error = await ChatRefusalTests.ErrorAsync(response);

        Assert.Equal((status, code), ((int)response.StatusCode, error.GetProperty("code").GetString()));
        Assert.Contains(part, error.GetProperty("message").GetString());
        Assert.Null(_harness.Backend.LastRequest);
    }

    [Fact]
    public async Task It_needs_a_key_and_belongs_to_one_base()
    {
        using var client = new HttpClient { BaseAddress = _harness.Server.Addresses[0] };
        using HttpResponseMessage nobody = await client.PostAsync(Path, new StringContent(Plain));
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "a.b");
        using HttpResponseMessage wrong = await client.PostAsync(Path, new StringContent(Plain));
        using HttpResponseMessage coding = await _harness.PostAsync(Plain, "/api/coding/paas/v4/tokenizer");
        using HttpResponseMessage get = await _harness.Client.GetAsync(Path);

        Assert.Equal((401, "1001"), ((int)nobody.StatusCode, await CodeAsync(nobody)));
        Assert.Equal((401, "1000"), ((int)wrong.StatusCode, await CodeAsync(wrong)));
        Assert.Equal((404, "1222"), ((int)coding.StatusCode, await CodeAsync(coding)));
        Assert.Equal((405, "1210"), ((int)get.StatusCode, await CodeAsync(get)));
    }

    [Fact]
    public async Task What_the_backend_refuses_or_breaks_at_is_an_error()
    {
        _harness.Backend.Count = static _ => throw new ChatRequestException(PlatformError.Invalid("messages[0]", "it is odd", "Send another"));
        using HttpResponseMessage refused = await _harness.PostAsync(Plain, Path);
        Assert.Equal((400, "1214"), ((int)refused.StatusCode, await CodeAsync(refused)));
        Assert.False(refused.Headers.Contains("X-Glimmer-Model"));

        _harness.Backend.Count = static _ => throw new InvalidOperationException(ScriptedBackend.CanaryText);
        using HttpResponseMessage broken = await _harness.PostAsync(Plain, Path);
        Assert.Equal("1234", await CodeAsync(broken));
        Assert.Single(_harness.Logs.Lines, line => line.Level == LogLevel.Error && line.Id == 2002);
        Assert.DoesNotContain(_harness.Logs.Lines, line => line.Text.Contains(ScriptedBackend.CanaryText, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Places_in_flight_are_bounded_and_given_back()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(options => options with { MaxOpenRequestsPerKey = 1, QueueLength = 0 });
        harness.Backend.Count = static _ => 3;
        for (int i = 0; i < 5; i++)
            await harness.ChatAsync(Plain, Path);
        using var entered = new SemaphoreSlim(0);
        using var go = new SemaphoreSlim(0);
        harness.Backend.Count = _ =>
        {
            entered.Release();
            go.Wait(TimeSpan.FromMinutes(2));
            return 3;
        };
        Task<JsonElement> first = harness.ChatAsync(Plain, Path);
        Assert.True(await entered.WaitAsync(TimeSpan.FromMinutes(2)));
        using HttpResponseMessage second = await harness.PostAsync(Plain, Path);
        go.Release();

        Assert.Equal((429, "1302"), ((int)second.StatusCode, await CodeAsync(second)));
        Assert.Equal(3, (await first).GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task Tokens_of_pictures_are_told_apart()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(fill: false, backend: new ScriptedBackend("glm-4.6v"));
        harness.Slot.Fill([harness.Backend], null);
        harness.Backend.Count = static request => 5 + request.Conversation.Messages.Sum(message => message.Content.Sum(part => part is MediaPart ? 100 : 1));
        async Task<string> UsageAsync(string parts) =>
            (await harness.ChatAsync($$$"""{"model":"glm-4.6v","messages":[{"role":"user","content":[{"type":"text","text":"x"}{{{parts}}}]}]}""", Path)).GetProperty("usage").ToString();
        const string Image = """,{"type":"image_url","image_url":{"url":"AAAA"}}""";

        Assert.Equal("""{"prompt_tokens":6,"image_tokens":0,"video_tokens":0,"total_tokens":6}""", await UsageAsync(""));
        Assert.Equal("""{"prompt_tokens":206,"image_tokens":200,"video_tokens":0,"total_tokens":206}""", await UsageAsync(Image + Image));
        Assert.Equal("""{"prompt_tokens":106,"image_tokens":0,"video_tokens":100,"total_tokens":106}""", await UsageAsync(""",{"type":"video_url","video_url":{"url":"http://x"}}"""));
    }

    private static async Task<string?> CodeAsync(HttpResponseMessage response) => (await ChatRefusalTests.ErrorAsync(response)).GetProperty("code").GetString();

    /// <summary>Stands for the tokens of a prompt: its characters, rendered as a backend would.</summary>
    private static int Length(ChatRequest request)
    {
        Assert.True(Generations.TryGet("glm-4.7", out Generation? generation));
        Conversation conversation = request.ToolChoice.Mode == ToolChoiceMode.None ? request.Conversation with { Tools = [] } : request.Conversation;
        return generation.RenderText(conversation).Text!.Length;
    }
}
