using System.IO.Pipelines;
using System.Text;
using Glimmer.Protocol.Sse;

namespace Glimmer.Protocol.Tests.Sse;

public sealed class SseTests
{
    private static readonly int FuzzCases = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : 2000;

    [Fact]
    public async Task Events_are_one_data_line_and_one_empty_line()
    {
        var pipe = new Pipe();
        using (var writer = new SseWriter(pipe.Writer))
        {
            foreach (string text in new[] { "a\nb\r\nc", "中文 😀 <&'\">", "\u0085\u2028\u2029\u000b\u000c\u001c end" })
            {
                System.Text.Json.Utf8JsonWriter json = writer.BeginEvent();
                json.WriteStartObject();
                json.WriteString("t", text);
                json.WriteEndObject();
                writer.EndEvent();
            }

            writer.WriteDone();
            Assert.True(writer.HasUnflushed);
            Assert.True(await writer.FlushAsync(default));
        }

        await pipe.Writer.CompleteAsync();
        string sent = Encoding.UTF8.GetString((await pipe.Reader.ReadAtLeastAsync(1 << 16)).Buffer.FirstSpan);
        Assert.StartsWith("data: {\"t\":\"a\\nb\\r\\nc\"}\n\ndata: {\"t\":\"中文 😀 <&'\\\">\"}\n\ndata: {", sent, StringComparison.Ordinal);
        Assert.EndsWith("}\n\ndata: [DONE]\n\n", sent, StringComparison.Ordinal);

        // Clients that split at every Unicode line break must see the same lines.
        Assert.DoesNotContain(sent, character => character is '\u0085' or '\u2028' or '\u2029' or '\v' or '\f' or '\u001c' or '\r');
    }

    [Fact]
    public async Task An_event_that_was_not_ended_is_not_sent_by_disposing()
    {
        var pipe = new Pipe();
        var writer = new SseWriter(pipe.Writer);
        writer.BeginEvent().WriteStartObject();
        writer.Dispose();
        await pipe.Writer.CompleteAsync();
        string sent = Encoding.UTF8.GetString((await pipe.Reader.ReadAtLeastAsync(1 << 16)).Buffer.FirstSpan);
        Assert.Equal("", sent.Replace("data: ", "", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("data: a\n\n", "a")]
    [InlineData("data:a\r\n\r\n", "a")]
    [InlineData("data: a\r\rdata: b\r\r", "a|b")]
    [InlineData("\uFEFFdata: a\n\n", "a")]
    [InlineData(": comment\n\ndata: a\ndata: b\n\n", "a\nb")]
    [InlineData("data\n\n", "")]
    [InlineData("data:  two\n\n", " two")]
    [InlineData("event: x\n\ndata: [done]\n", "[done]")]
    [InlineData("retry: 5\nunknown: y\ndata: a", "a")]
    [InlineData("\n\n\n", null)]
    public void Streams_are_read_as_the_standard_says(string text, string? expected)
    {
        List<SseEvent> events = Decode(Encoding.UTF8.GetBytes(text), int.MaxValue, new Random(1));
        Assert.Equal(expected, events.Count == 0 ? null : string.Join('|', events.Select(item => item.Data)));
    }

    [Fact]
    public void Names_and_ids_belong_to_their_event()
    {
        List<SseEvent> events = Decode("event: ping\nid: 7\ndata: 1\n\ndata: 2\n\n"u8.ToArray(), int.MaxValue, new Random(1));
        Assert.Equal([new SseEvent("1", "ping", "7"), new SseEvent("2", "message", "7")], events);
    }

    [Fact]
    public void Any_chunking_gives_the_same_events()
    {
        string[] pieces = ["data: ", "data:", "\n", "\r", "\r\n", "\n\n", "event: e", "id: 1", ": c", "中", "😀", "\uFEFF", "[DONE]", "{\"a\":1}", " ", ":", "x"];
        var random = new Random(20251);
        for (int i = 0; i < FuzzCases; i++)
        {
            var text = new StringBuilder();
            for (int piece = random.Next(40); piece > 0; piece--)
                text.Append(pieces[random.Next(pieces.Length)]);
            byte[] bytes = Encoding.UTF8.GetBytes(text.ToString());
            if (random.Next(4) == 0 && bytes.Length > 0)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            List<SseEvent> whole = Decode(bytes, int.MaxValue, random);
            Assert.Equal(whole, Decode(bytes, 1, random));
            Assert.Equal(whole, Decode(bytes, 7, random));
        }
    }

    [Fact]
    public void Sizes_are_bounded()
    {
        var decoder = new SseDecoder(64);
        Assert.Throws<InvalidDataException>(() => decoder.Append(new byte[65]));
        decoder = new SseDecoder(64);
        Assert.Throws<InvalidDataException>(() =>
        {
            for (int i = 0; i < 100; i++)
                decoder.Append("data: 0123456789\n"u8);
        });
    }

    [Fact]
    public async Task The_stream_reader_yields_each_event_when_it_is_complete()
    {
        var pipe = new Pipe();
        await using IAsyncEnumerator<SseEvent> events = SseReader.ReadAsync(pipe.Reader.AsStream()).GetAsyncEnumerator();
        await pipe.Writer.WriteAsync("data: 1\n\ndata: 2"u8.ToArray());
        Assert.True(await events.MoveNextAsync());
        Assert.Equal("1", events.Current.Data);
        ValueTask<bool> next = events.MoveNextAsync();
        Assert.False(next.IsCompleted);
        await pipe.Writer.WriteAsync("\n\n"u8.ToArray());
        Assert.True(await next);
        await pipe.Writer.CompleteAsync();
        Assert.False(await events.MoveNextAsync());
    }

    private static List<SseEvent> Decode(byte[] bytes, int maxChunk, Random random)
    {
        var decoder = new SseDecoder();
        var events = new List<SseEvent>();
        for (int start = 0; start < bytes.Length;)
        {
            int length = maxChunk == int.MaxValue ? bytes.Length : Math.Min(bytes.Length - start, random.Next(1, maxChunk + 1));
            decoder.Append(bytes.AsSpan(start, length));
            start += length;
            while (decoder.TryRead(out SseEvent item))
                events.Add(item);
        }

        decoder.Complete();
        while (decoder.TryRead(out SseEvent item))
            events.Add(item);
        return events;
    }
}
