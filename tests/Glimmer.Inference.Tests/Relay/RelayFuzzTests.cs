using System.Globalization;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Relay.Answers;
using Glimmer.Inference.Relay.Errors;
using Glimmer.Inference.Relay.Requests;
using static Glimmer.Inference.Tests.Relay.RelayCases;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>Recorded streams, cut and changed at random: whatever comes, the events keep the order of the house and the end is said.</summary>
public sealed class RelayFuzzTests
{
    private static readonly int Cases = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), NumberStyles.None, CultureInfo.InvariantCulture, out int cases) ? cases : 4000;

    private static readonly byte[][] Recorded =
    [
        Encoding.UTF8.GetBytes(Chunks("tool_calls", """{"role":"assistant","reasoning_content":"Let me ä🌍"}""", """{"content":"Hello \"x\"\n"}""",
            """{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":[1,"}},{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}""", """{"tool_calls":[{"index":0,"function":{"arguments":"{\"y\":\"}\"}]}"}}]}""")),
        Encoding.UTF8.GetBytes(Events(
            """{"type":"message_start","message":{"id":"m","usage":{"input_tokens":10,"output_tokens":1}}}""", """{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm ä"}}""", """{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}""", """{"type":"content_block_stop","index":0}""",
            """{"type":"ping"}""", """{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}""", """{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi"}}""", """{"type":"content_block_stop","index":1}""",
            """{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}""", """{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":1}"}}""", """{"type":"content_block_stop","index":2}""",
            """{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}""", """{"type":"message_stop"}""")),
    ];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_stream_that_was_changed_ends_and_keeps_its_order(int form)
    {
        (string whole, FinishReason? finish) = Read(form, Recorded[form], new Random(0));
        Assert.Equal(FinishReason.ToolCalls, finish);
        int complete = 0;
        for (int seed = 1; seed <= Cases; seed++)
        {
            Random random = new(seed);
            (_, FinishReason? ended) = Read(form, Change(Recorded[form], random), random);
            complete += ended is null ? 0 : 1;

            // Where the bytes are cut makes no difference.
            Assert.Equal(whole, Read(form, Recorded[form], random).Line);
        }

        // Some changes are harmless, as in a letter of the text; most are not.
        Assert.InRange(complete, 1, Cases - 1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_stream_that_was_cut_never_counts_as_complete(int form)
    {
        byte[] stream = Recorded[form];
        int end = stream.AsSpan().LastIndexOf(form == 0 ? "[DONE]"u8 : "}"u8) + (form == 0 ? "[DONE]".Length : 1);
        for (int length = 0; length < end; length++)
            Assert.Null(Read(form, stream[..length], new Random(length)).Finish);
        Assert.NotNull(Read(form, stream[..end], new Random(0)).Finish);
    }

    /// <summary>Calls whose pieces come in any order that keeps the pieces of each in their own.</summary>
    [Fact]
    public void Calls_that_come_mixed_are_put_in_order()
    {
        for (int seed = 0; seed < Cases; seed++)
        {
            Random random = new(seed);
            int count = random.Next(1, 6), step = random.Next(1, 4);
            List<string> expected = [];
            List<Queue<string>> pieces = [];
            for (int i = 0; i < count; i++)
            {
                string arguments = RandomObject(random, 0);
                expected.Add($"f{i}{arguments}");
                Queue<string> queue = new();
                for (int at = 0; at < arguments.Length;)
                {
                    int length = Math.Min(random.Next(1, 9), arguments.Length - at);
                    queue.Enqueue(arguments.Substring(at, length));
                    at += length;
                }

                pieces.Add(queue);
            }

            using CallSorter sorter = new(parallel: true);
            List<ChatEvent> events = [];
            int begun = 0;
            while (pieces.Exists(static queue => queue.Count > 0))
            {
                int next = random.Next(Math.Min(begun + 1, count));
                bool first = next == begun;
                if (first)
                    begun++;
                string? piece = first && random.Next(2) == 0 ? null : pieces[next].TryDequeue(out string? said) ? said : null;
                sorter.Add(next * step, first ? $"id{next}" : null, first ? $"f{next}" : null, piece, events);
            }

            sorter.Finish(cut: false, events);
            Check(events, ended: true);
            MessageBuilder message = new();
            message.Add(events);
            Assert.Equal(expected, message.Calls.Select(static call => call.Name + call.Arguments));
        }
    }

    [Fact]
    public void Whatever_a_service_says_of_an_error_is_mapped_and_no_secret_is_quoted()
    {
        Secrets secrets = new([Key]);
        byte[][] bodies =
        [
            Encoding.UTF8.GetBytes($$"""{"error":{"code":"1214","message":"the key {{Key}} 🌍","param":"messages[0]","type":"x"} }"""),
            Encoding.UTF8.GetBytes($$"""{"type":"error","error":{"type":"invalid_request_error","message":"{{Key}}"} }"""),
            Encoding.UTF8.GetBytes($$"""[{"detail":[{"msg":"{{Key}}","loc":[1,{"a":null}]}],"code":400}]"""),
        ];
        for (int seed = 0; seed < Cases; seed++)
        {
            Random random = new(seed);
            byte[] body = seed < bodies.Length ? bodies[seed] : Change(bodies[random.Next(bodies.Length)], random);
            int status = new[] { 0, 200, 302, 400, 401, 429, 500, 599, random.Next(1000) }[random.Next(9)];
            UpstreamError said = UpstreamError.Read(status, body);
            MappedError mapped = RelayErrors.Map(said, "glm-4.7", secrets);
            Assert.NotEmpty(mapped.Error.Message);
            Assert.InRange(mapped.Error.Status, 400, 599);
            string quote = secrets.Quote(said.Message + said.Code + said.Type);
            Assert.True(quote.Length <= Secrets.MaxQuote);
            for (int i = 0; seed < bodies.Length && i + 8 <= Key.Length; i++)
                Assert.DoesNotContain(Key.Substring(i, 8), quote + mapped.Error.Message, StringComparison.Ordinal);
        }
    }

    private static string RandomObject(Random random, int depth)
    {
        List<string> members = [];
        for (int i = random.Next(0, 4); i > 0; i--)
        {
            members.Add($"\"k{i}\":" + random.Next(depth < 3 ? 6 : 4) switch
            {
                0 => random.Next().ToString(CultureInfo.InvariantCulture),
                1 => JsonSerializer.Serialize("a\"}]{[\\ ä🌍\n"),
                2 => "null",
                3 => "[1, \"}\", {}]",
                _ => RandomObject(random, depth + 1),
            });
        }

        return "{" + string.Join(", ", members) + "}";
    }

    private static byte[] Change(byte[] stream, Random random)
    {
        List<byte> bytes = [.. stream];
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int at = random.Next(bytes.Count), count = Math.Min(random.Next(1, 40), bytes.Count - at);
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.RemoveRange(at, count);
                    break;
                case 3:
                    bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, count));
                    break;
                case 4:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                default:
                    bytes.InsertRange(at, Encoding.UTF8.GetBytes(new[] { "null", "{}", "[]", "1e999", "-1", "\n\n", "\r", "data:", "\\ud800", "\"" }[random.Next(10)]));
                    break;
            }

            if (bytes.Count == 0)
                bytes.Add(0);
        }

        return [.. bytes];
    }

    /// <summary>Reads a stream in pieces of random sizes.</summary>
    /// <returns>What was told, neighbouring pieces joined, and the reason; null where the stream broke its protocol.</returns>
    private static (string Line, FinishReason? Finish) Read(int form, byte[] stream, Random random)
    {
        using AnswerReader reader = form == 0 ? new CompletionsReader(Ask()) : new MessagesReader(Ask(), new SignatureMemory());
        using EventFrames frames = new();
        List<ChatEvent> events = [];
        bool ended = false;
        try
        {
            for (int at = 0; at < stream.Length && !reader.IsOver && reader.Error is null;)
            {
                int count = Math.Min(random.Next(1, 200), stream.Length - at);
                stream.AsSpan(at, count).CopyTo(frames.Room.Span);
                frames.Advance(count);
                at += count;
                while (!reader.IsOver && frames.TryRead(out ReadOnlySpan<byte> data))
                    reader.Read(data, events);
            }

            if (!reader.IsOver && reader.Error is null && frames.TryReadLast(out ReadOnlySpan<byte> last))
                reader.Read(last, events);
            ended = reader.IsOver;
        }
        catch (Exception fault) when (fault is UpstreamFaultException or JsonException)
        {
            // It says so: that is what it should.
        }

        return (Check(events, ended), ended ? reader.Finish : null);
    }

    /// <summary>Calls come one after the other, each begun once, and each of a whole answer is ended with an object.</summary>
    private static string Check(List<ChatEvent> events, bool ended)
    {
        StringBuilder line = new();
        StringBuilder arguments = new();
        int calls = 0, open = -1;
        ChatEvent before = default;
        foreach (ChatEvent said in events)
        {
            switch (said.Kind)
            {
                case ChatEventKind.ToolCallStart:
                    Assert.Equal((-1, calls++), (open, said.ToolIndex));
                    Assert.NotEmpty(said.Text);
                    open = said.ToolIndex;
                    arguments.Clear();
                    break;
                case ChatEventKind.ToolCallArguments:
                    Assert.Equal(open, said.ToolIndex);
                    arguments.Append(said.Text);
                    break;
                case ChatEventKind.ToolCallEnd:
                    Assert.Equal(open, said.ToolIndex);
                    Assert.True(ArgumentsJson.IsObject(arguments.ToString()));
                    open = -1;
                    break;
                case ChatEventKind.ToolCallAbandoned:
                    Assert.Equal(open, said.ToolIndex);
                    open = -1;
                    break;
                default:
                    Assert.NotEmpty(said.Text);
                    break;
            }

            if (said.Kind != before.Kind || said.ToolIndex != before.ToolIndex)
                line.Append('|').Append(said.Kind);
            line.Append(said.Text);
            before = said;
        }

        Assert.True(!ended || open < 0);
        return line.ToString();
    }
}
