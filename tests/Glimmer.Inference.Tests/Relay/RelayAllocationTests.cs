using System.Diagnostics;
using System.Text;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Relay.Answers;
using Glimmer.Inference.Relay.Requests;
using static Glimmer.Inference.Tests.Relay.RelayCases;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>Reading an event makes the string that it is told with, and nothing else.</summary>
public sealed class RelayAllocationTests(ITestOutputHelper output)
{
    private const int Events = 50_000;
    private const int StringBytes = 32; // header, length and " word"

    [Theory]
    [InlineData(false, "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1749187238,\"model\":\"glm-5.1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\" word\"},\"finish_reason\":null}]}", StringBytes)]
    [InlineData(false, "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\" word\"}}]}", StringBytes)]
    [InlineData(true, "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}}", StringBytes)]
    public void An_event_allocates_its_text_alone(bool messages, string json, int most)
    {
        byte[] frame = Encoding.UTF8.GetBytes($"data: {json}\n\n");
        using AnswerReader reader = messages ? new MessagesReader(Ask(), new SignatureMemory()) : new CompletionsReader(Ask());
        using EventFrames frames = new();
        List<ChatEvent> events = [];
        int told = 0;
        if (messages)
            reader.Read("""{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"""u8, events);
        Feed(Events);
        long before = GC.GetAllocatedBytesForCurrentThread();
        long start = Stopwatch.GetTimestamp();
        Feed(Events);
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        long each = (GC.GetAllocatedBytesForCurrentThread() - before) / Events;
        output.WriteLine($"{each} bytes and {took.TotalNanoseconds / Events:F0} ns for each event");
        Assert.InRange(each, 1, most);
        Assert.Equal(2 * Events, told);

        void Feed(int count)
        {
            for (int i = 0; i < count; i++)
            {
                frame.CopyTo(frames.Room.Span);
                frames.Advance(frame.Length);
                events.Clear();
                while (frames.TryRead(out ReadOnlySpan<byte> data))
                    reader.Read(data, events);
                told += events.Count;
            }
        }
    }
}
