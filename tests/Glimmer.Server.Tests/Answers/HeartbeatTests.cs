using System.Text;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Answers;

/// <summary>What a stream says while the model reads a long prompt.</summary>
public sealed class HeartbeatTests : IAsyncLifetime
{
    private const string GeminiHi = "\"contents\":{\"parts\":{\"text\":\"hi\"}}";

    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync(time: new HurriedTime());

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("/v1/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]", ": ping\n\n")]
    [InlineData("/v1/responses", "\"input\":\"hi\"", ": ping\n\n")]
    [InlineData("/v1/completions", "\"prompt\":\"hi\"", ": ping\n\n")]
    [InlineData("/completion", "\"prompt\":\"hi\"", ": ping\n\n")]
    [InlineData("/v1/messages", "\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]", "event: ping\ndata: {\"type\":\"ping\"}\n\n")]
    [InlineData("/v1beta/models/glm-4.7:streamGenerateContent?alt=sse", GeminiHi, "\n\n")]
    [InlineData("/v1beta/models/glm-4.7:streamGenerateContent", GeminiHi, "\n\n")]
    public async Task A_dialect_with_a_sign_of_life_gives_it_until_the_first_event(string path, string members, string ping)
    {
        var opened = new TaskCompletionSource();
        _harness.Backend.Script = _ => ChatScript.Of("Hello") with { Opened = opened.Task };
        using HttpResponseMessage response = await _harness.PostAsync($"{{\"model\":\"glm-4.7\",{(members == GeminiHi ? "" : "\"stream\":true,")}{members}}}", path, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(path.EndsWith("Content", StringComparison.Ordinal) ? "application/json" : "text/event-stream", response.Content.Headers.ContentType?.MediaType);
        await using Stream stream = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        byte[] two = new byte[ping.Length * 2];
        await stream.ReadExactlyAsync(two, TestContext.Current.CancellationToken);
        Assert.Equal(ping + ping, Encoding.UTF8.GetString(two));
        opened.SetResult();
        using var reader = new StreamReader(stream);
        string rest = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
        while (rest.StartsWith(ping, StringComparison.Ordinal))
            rest = rest[ping.Length..];
        Assert.Contains("Hello", rest, StringComparison.Ordinal);
        Assert.DoesNotContain(": ping\n\n", rest.Replace(ping, "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/paas/v4/chat/completions")]
    [InlineData("/api/coding/paas/v4/chat/completions")]
    [InlineData("/api/chat")]
    public async Task The_native_bases_and_Ollama_say_nothing(string path)
    {
        var opened = new TaskCompletionSource();
        _harness.Backend.Script = _ => ChatScript.Of("Hello") with { Opened = opened.Task };
        using HttpResponseMessage response = await _harness.PostAsync("""{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}""", path, HttpCompletionOption.ResponseHeadersRead);

        // The headers have waited long enough to go out alone; after them several heartbeats would have come.
        await Task.Delay(100, TestContext.Current.CancellationToken);
        opened.SetResult();
        string all = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain("ping", all, StringComparison.Ordinal);
        Assert.True(all[0] is 'd' or '{', all);
        Assert.Contains("Hello", all, StringComparison.Ordinal);
    }
}
