using Glimmer.Dialogue.Output;
using Glimmer.Inference.Embedded;

namespace Glimmer.Inference.Tests.Embedded;

public sealed class EventBufferTests
{
    [Fact]
    public async Task Pieces_are_joined_when_nobody_reads_and_nothing_is_lost()
    {
        EventBuffer buffer = new();
        for (int i = 0; i < 1000; i++)
            buffer.Write([new ChatEvent(i < 500 ? ChatEventKind.Reasoning : ChatEventKind.Content, $"{i},")]);
        buffer.Write([new ChatEvent(ChatEventKind.ToolCallStart, "f", 0), new ChatEvent(ChatEventKind.ToolCallArguments, "{", 0), new ChatEvent(ChatEventKind.ToolCallArguments, "}", 0)]);
        buffer.Write([new ChatEvent(ChatEventKind.ToolCallStart, "g", 1), new ChatEvent(ChatEventKind.ToolCallArguments, "{}", 1)]);
        buffer.Complete();

        List<ChatEvent> events = (await buffer.TakeAsync([]))!;

        Assert.InRange(events.Count, 5, EventBuffer.JoinFrom + 6);
        Assert.Equal(string.Concat(Enumerable.Range(0, 1000).Select(i => $"{i},")), string.Concat(events.Where(e => e.ToolIndex < 0).Select(e => e.Text)));
        Assert.Equal(
            [new(ChatEventKind.ToolCallStart, "f", 0), new(ChatEventKind.ToolCallArguments, "{}", 0), new(ChatEventKind.ToolCallStart, "g", 1), new(ChatEventKind.ToolCallArguments, "{}", 1)],
            events.TakeLast(4));
        Assert.Null(await buffer.TakeAsync(events));
        Assert.Null(await buffer.TakeAsync(events));
    }

    [Fact]
    public async Task A_writer_and_a_reader_at_once_lose_nothing()
    {
        EventBuffer buffer = new();
        const int Pieces = 20_000;
        Task writer = Task.Run(() =>
        {
            List<ChatEvent> one = [];
            for (int i = 0; i < Pieces; i++)
            {
                one.Clear();
                one.Add(new ChatEvent(ChatEventKind.Content, (i % 10).ToString()));
                buffer.Write(one);
            }

            buffer.Complete();
        });
        System.Text.StringBuilder text = new();
        List<ChatEvent> spare = [];
        while (await buffer.TakeAsync(spare) is { } events)
        {
            foreach (ChatEvent said in events)
                text.Append(said.Text);
            spare = events;
        }

        await writer;
        Assert.Equal(string.Concat(Enumerable.Range(0, Pieces).Select(i => i % 10)), text.ToString());
    }

    [Fact]
    public async Task A_waiting_reader_hears_of_the_end()
    {
        EventBuffer buffer = new();
        Task<List<ChatEvent>?> reader = buffer.TakeAsync([]).AsTask();
        Assert.False(reader.IsCompleted);
        buffer.Complete();
        Assert.Null(await reader.WaitAsync(TimeSpan.FromMinutes(2)));
    }
}
