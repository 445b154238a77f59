using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.Answers;
using Glimmer.Server.Responses;

namespace Glimmer.Server.Tests.Responses;

/// <summary>What a node holds of a background response while it makes it.</summary>
public sealed class LiveResponseTests
{
    [Fact]
    public void What_nobody_reads_is_one_piece_and_the_end_waits_until_it_is_kept()
    {
        using LiveResponse live = Make(out ResponsesAnswer answer, first: 7, numbers: 100_000);
        for (int i = 0; i < 100; i++)
            live.Write(new ChatEvent(ChatEventKind.Content, "word "));
        live.End(new AnswerEnd(FinishReason.Stop, null, default));
        (List<JsonElement> events, long last, bool closed) = Drain(live, 6);
        Assert.Equal(
            ["response.in_progress", "response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done"],
            events.Select(one => one.GetProperty("type").GetString()));
        Assert.Equal(Enumerable.Range(7, 7), events.Select(one => one.GetProperty("sequence_number").GetInt32()));
        Assert.False(closed);
        live.Close(kept: true);
        (events, _, closed) = Drain(live, last);
        Assert.Equal("response.completed", Assert.Single(events).GetProperty("type").GetString());
        Assert.True(closed && live.IsKept);
        Assert.Equal("7 500", answer.Marks!.Write());
    }

    [Fact]
    public void One_that_is_not_kept_has_no_end()
    {
        using LiveResponse live = Make(out _, first: 2, numbers: 100_000);
        live.Write(new ChatEvent(ChatEventKind.Content, "word"));
        live.End(new AnswerEnd(FinishReason.Stop, null, default));
        live.Close(kept: false);
        (List<JsonElement> events, _, bool closed) = Drain(live, 1);
        Assert.Equal("response.output_item.done", events[^1].GetProperty("type").GetString());
        Assert.True(closed && !live.IsKept);
    }

    [Fact]
    public void Who_reads_on_after_a_run_has_failed_is_told_no_more_of_it()
    {
        LiveResponse live = Make(out _, first: 2, numbers: 100_000);
        live.Write(new ChatEvent(ChatEventKind.Content, "told"));
        (_, long last, _) = Drain(live, 1);
        live.Write(new ChatEvent(ChatEventKind.Content, "told too"));   // whoever waited hears of it, and comes a little later
        live.Write(new ChatEvent(ChatEventKind.Content, "untold"));
        live.Close(kept: false);
        live.Dispose();
        (List<JsonElement> events, _, bool closed) = Drain(live, last);
        Assert.Equal("told too", Assert.Single(events).GetProperty("delta").GetString());
        Assert.True(closed && !live.IsKept);
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(5_000)]
    public void A_long_answer_takes_bounded_memory_and_no_more_numbers_than_it_has(int numbers)
    {
        using LiveResponse live = Make(out _, first: 2, numbers);
        long last = 1, bytes = 0;
        int events = 0;
        var said = new StringBuilder();
        for (int i = 0; i < 100_000; i++)
        {
            live.Write(new ChatEvent(ChatEventKind.Content, "token"));
            var page = new List<byte[]>();
            (last, _, _) = live.Read(last, page, int.MaxValue);
            foreach (byte[] one in page)
                Take(one);
        }

        live.End(new AnswerEnd(FinishReason.Stop, null, default));
        live.Close(kept: true);
        var rest = new List<byte[]>();
        live.Read(last, rest, int.MaxValue);
        long pieces = bytes;
        foreach (byte[] one in rest)
            Take(one);
        Assert.Equal(500_000, said.Length);
        Assert.InRange(pieces, 500_000, 6 << 20);
        Assert.InRange(events, 100, numbers);

        void Take(byte[] one)
        {
            events++;
            bytes += one.Length;
            if (Parse(one).TryGetProperty("delta", out JsonElement delta))
                said.Append(delta.GetString());
        }
    }

    private static (List<JsonElement> Events, long Last, bool Closed) Drain(LiveResponse live, long after)
    {
        var page = new List<byte[]>();
        (long last, _, bool closed) = live.Read(after, page, int.MaxValue);
        return ([.. page.Select(Parse)], last, closed);
    }

    private static JsonElement Parse(byte[] block)
    {
        string text = Encoding.UTF8.GetString(block);
        return JsonDocument.Parse(text[text.IndexOf('{', StringComparison.Ordinal)..]).RootElement;
    }

    private static LiveResponse Make(out ResponsesAnswer answer, long first, long numbers)
    {
        (JsonBody? body, _) = JsonBody.Parse("""{"model":"glm-4.7","input":"x","background":true,"stream":true}"""u8.ToArray());
        using (body)
        {
            ResponsesRequest request = ResponsesRequestReader.Read(body!.Root).Request!;
            var chat = new ChatRequest { Model = "glimmer-tiny", Conversation = new Conversation([], [], new RenderOptions()), Sampling = new Engine.SamplingOptions() };
            answer = new ResponsesAnswer(new ResponseHead("resp_1", DateTimeOffset.UnixEpoch, "glm-4.7", request, chat, Stored: true, Seal: null), "1", TimeProvider.System, keep: null);
            return new LiveResponse("resp_1", answer, first, numbers);
        }
    }
}
