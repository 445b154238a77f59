using System.Text;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Output;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Chat;

public sealed partial class ChatFramingTests : IAsyncLifetime
{
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Fact]
    public async Task A_stream_is_exactly_data_lines_and_empty_lines()
    {
        _harness.Backend.Script = _ => new ChatScript(
        [
            new(ChatEventKind.Reasoning, "let me\n\nthink"), new(ChatEventKind.Content, "data: no\r\n\r\n"),
            new(ChatEventKind.Content, "中文 😀 \u2028\u0085"), new(ChatEventKind.ToolCallStart, "f", 0),
            new(ChatEventKind.ToolCallArguments, "{\"a\":1}", 0), new(ChatEventKind.ToolCallEnd, "", 0),
        ], FinishReason.ToolCalls);
        string raw = await _harness.RawAsync(_harness.RawChat("""{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}"""));
        string head = raw[..raw.IndexOf("\r\n\r\n", StringComparison.Ordinal)];
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", raw, StringComparison.Ordinal);
        Assert.Contains("Content-Type: text/event-stream", head);
        Assert.Contains("Cache-Control: no-cache", head);
        Assert.Contains("X-Accel-Buffering: no", head);
        Assert.Contains("X-Glimmer-Model: glimmer-tiny; stand-in-for=glm-4.7", head);
        Assert.Contains("x-request-id: ", head);
        Assert.DoesNotContain("Server:", head);

        string body = Dechunk(raw[(head.Length + 4)..]);
        Assert.Matches(@"\A(data: \{[^\n]*\}\n\n)+data: \[DONE\]\n\n\z", body);
        string[] events = body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(6, events.Length);
        Assert.DoesNotContain(body, character => character is '\r' or '\u2028' or '\u0085');
        Assert.Contains("中文 😀", events[2]);
        Assert.All(events[..^2], item => Assert.DoesNotContain("usage", item));
        Assert.All(events[..^2], item => Assert.DoesNotContain("finish_reason", item));
        Assert.All(events[..^1], item => Assert.Contains("\"delta\":{\"role\":\"assistant\",", item));
        Assert.Contains("\"finish_reason\":\"tool_calls\"", events[^2]);
    }

    [Fact]
    public async Task The_chunk_is_byte_for_byte_what_the_specification_shows()
    {
        _harness.Backend.Script = _ => ChatScript.Of("Hello") with { Usage = new(8, 2, 262, 5) };
        string raw = await _harness.RawAsync(_harness.RawChat("""{"model":"GLM-4.7","stream":"true","request_id":"my-request","messages":[{"role":"user","content":"hi"}]}"""));
        string body = Dechunk(raw[(raw.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
        string id = IdPattern().Match(raw).Groups["value"].Value;
        Assert.Equal(30, id.Length);
        string created = CreatedPattern().Match(body).Groups["value"].Value;
        string head = $$"""{"id":"{{id}}","request_id":"my-request","created":{{created}},"model":"glm-4.7","object":"chat.completion.chunk","choices":[{"index":0,""";
        Assert.Equal(
            "data: " + head + "\"" + """delta":{"role":"assistant","content":"Hello"}}]}""" + "\n\n" +
            "data: " + head + "\"" + """finish_reason":"stop","delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":8,"completion_tokens":262,"total_tokens":270,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":5}}}""" + "\n\n" +
            "data: [DONE]\n\n",
            body);
    }

    [Fact]
    public async Task An_error_of_a_streaming_call_is_json_with_only_the_error()
    {
        string raw = await _harness.RawAsync(_harness.RawChat("""{"model":"glm-4.7","stream":true,"messages":[]}"""));
        Assert.StartsWith("HTTP/1.1 400 Bad Request\r\n", raw, StringComparison.Ordinal);
        Assert.Contains("Content-Type: application/json\r\n", raw);
        Assert.Matches("""\A\{"error":\{"code":"1214","message":"[^"]*messages[^"]*"\}\}\z""", raw[(raw.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
    }

    [Fact]
    public async Task A_token_goes_out_before_the_next_one_is_made()
    {
        var gate = System.Threading.Channels.Channel.CreateUnbounded<int>();
        _harness.Backend.Script = _ => ChatScript.Of("one", "two") with { Gate = gate.Reader };
        gate.Writer.TryWrite(0);
        using HttpResponseMessage response = await _harness.PostAsync(
            """{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}""", completion: HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Contains("\"one\"", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2)));
        gate.Writer.TryWrite(1);
        Assert.Equal("", await reader.ReadLineAsync());
        Assert.Contains("\"two\"", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2)));
    }

    private static string Dechunk(string body)
    {
        var text = new List<byte>();
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(body);
        while (true)
        {
            int end = rest.IndexOf("\r\n"u8);
            int length = Convert.ToInt32(Encoding.ASCII.GetString(rest[..end]), 16);
            if (length == 0)
                return Encoding.UTF8.GetString([.. text]);
            text.AddRange(rest.Slice(end + 2, length));
            rest = rest[(end + 4 + length)..];
        }
    }

    [GeneratedRegex("x-request-id: (?<value>[0-9a-f]+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex IdPattern();

    [GeneratedRegex("\"created\":(?<value>[0-9]+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex CreatedPattern();
}
