using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Remote;
using Glimmer.Inference.Tests.Embedded;
using Glimmer.Inference.Tests.Remote.Fakes;

namespace Glimmer.Inference.Tests.Remote;

public sealed class BrokenStreamTests
{
    private static int Cases => int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : 120;

    private static IEngineProtocol Protocol(string name) => name switch
    {
        "vllm" => new VllmProtocol(),
        "sglang" => new SGLangProtocol(),
        _ => new LlamaServerProtocol(),
    };

    [Theory]
    [InlineData("vllm")]
    [InlineData("sglang")]
    [InlineData("llama")]
    public async Task Streams_cut_and_changed_anywhere_end_with_one_clear_outcome(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        ChatRequest request = BundledBackend.Request(BundledBackend.Row("chat.greeting")) with { TopLogProbs = 2 };
        int whole = 0, broken = 0;
        for (int seed = 0; seed < Cases; seed++)
        {
            Random random = new(seed);
            engine.Mutate = events => [Change([.. events.SelectMany(data => data)], random)];
            (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, request);
            if (answer.Finish == FinishReason.BackendFault)
            {
                Assert.NotNull(answer.Error);

                // That would be a fault of the reader's own.
                Assert.NotEqual("The engine's answer could not be read.", answer.Error.Message);
                broken++;
            }
            else
            {
                Assert.Null(answer.Error);
                whole++;
            }

            // Whatever came, the counts are those of what came.
            Assert.InRange(answer.Usage.CompletionTokens, 0, 512);
            Assert.InRange(answer.Usage.CachedTokens, 0, answer.Usage.PromptTokens);
            Assert.True(message.Content is null || answer.Usage.CompletionTokens > 0);
        }

        Assert.True(whole > 0 && broken > 0, $"{whole} whole, {broken} broken");
    }

    [Theory]
    [InlineData("vllm")]
    [InlineData("sglang")]
    [InlineData("llama")]
    public async Task A_stream_cut_at_any_byte_says_what_came_and_that_it_broke(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        ChatRequest request = BundledBackend.Request(BundledBackend.Row("chat.greeting"));
        byte[] stream = [];
        engine.Mutate = events => [stream = [.. events.SelectMany(data => data)]];
        await RemoteEngines.AskAsync(backend, request);
        int length = stream.Length;
        for (int cut = 0; cut < length; cut += Math.Max(1, length / Cases))
        {
            int at = cut;
            engine.Mutate = events => [events.SelectMany(data => data).Take(at).ToArray()];
            (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, request);
            Assert.StartsWith(message.Content ?? "", "Good night! Sleep well.", StringComparison.Ordinal);
            Assert.True(answer.Finish is FinishReason.BackendFault || (answer.Finish, message.Content) == (FinishReason.Stop, "Good night! Sleep well."), $"{cut}: {answer.Finish}");
        }
    }

    [Theory]
    [InlineData("vllm")]
    [InlineData("sglang")]
    [InlineData("llama")]
    public void Values_of_other_types_are_told_and_never_more(string name)
    {
        IEngineProtocol protocol = Protocol(name);
        TokenBytes vocabulary = new(FakeEngine.Tokenizer);
        string[] values = ["null", "0", "-1", "1e99", "\"x\"", "[]", "{}", "[[1]]", "true", "[null]", "[\"token_id:x\"]", "{\"matched\":[]}", "99999999999", "[1,2]"];
        string[] fields =
        [
            "choices", "token_ids", "logprobs", "tokens", "token_logprobs", "top_logprobs", "finish_reason", "stop_reason", "usage", "text",
            "meta_info", "output_ids", "output_token_logprobs", "output_top_logprobs", "completion_tokens", "type",
            "content", "stop", "stop_type", "timings", "completion_probabilities", "tokens_predicted", "error",
        ];
        Random random = new(7);
        for (int i = 0; i < 20 * Cases; i++)
        {
            string Members(int depth) => string.Join(',', Enumerable.Range(0, random.Next(5)).Select(_ =>
                $"\"{fields[random.Next(fields.Length)]}\":{(depth > 0 && random.Next(2) == 0 ? random.Next(2) == 0 ? $"{{{Members(depth - 1)}}}" : $"[{{{Members(depth - 1)}}}]" : values[random.Next(values.Length)])}"));
            string json = $"{{{Members(3)}}}";
            using JsonDocument document = JsonDocument.Parse(json);
            try
            {
                protocol.Read(document.RootElement, [1], vocabulary, new EngineChunk());
            }
            catch (Exception fault) when (fault is JsonException or InvalidOperationException or FormatException or OverflowException or KeyNotFoundException or IndexOutOfRangeException)
            {
                // These are what the reader of the stream takes for an event that is none of the protocol.
            }
        }
    }

    [Theory]
    [InlineData("vllm")]
    [InlineData("sglang")]
    [InlineData("llama")]
    public async Task Ids_outside_the_vocabulary_say_nothing(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        Assert.True(FakeEngine.Tokenizer.TryGetAdded("<|user|>", out int end));
        engine.Script = _ => [5639, -7, 2057, int.MaxValue, 0, FakeEngine.Tokenizer.VocabularySize, end];
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(BundledBackend.Row("chat.greeting")) with { TopLogProbs = name == "vllm" ? null : 1 });
        Assert.Equal(("Good night!", FinishReason.Stop, 7), (message.Content, answer.Finish, answer.Usage.CompletionTokens));
    }

    [Theory]
    [InlineData("\n")]
    [InlineData(" ")]
    [InlineData("data: ")]
    [InlineData(": ping\n\n")]
    [InlineData("event: x\nid: 7\nretry: 1\n")]
    public async Task Lines_without_data_are_passed_over(string noise)
    {
        using EngineEvents events = new(null, new MemoryStream(Encoding.UTF8.GetBytes($"{noise}\n\ndata: {{\"a\":1}}\r\n\r\n{noise}\ndata:x\ndata: y\n\ndata: cut")));
        List<string> read = [];
        while (await events.NextAsync(CancellationToken.None) is { } data)
            read.Add(Encoding.UTF8.GetString(data.Span));
        Assert.Equal(["{\"a\":1}", "x\ny"], read.Where(data => data.Length > 0).Select(data => data.TrimStart('\n')));
    }

    [Theory]
    [InlineData("data: ", "x")]
    [InlineData("", "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n")]
    public async Task Events_without_end_are_refused_in_bounded_memory(string begin, string repeated)
    {
        using EngineEvents events = new(null, new Endless(Encoding.UTF8.GetBytes(begin), Encoding.UTF8.GetBytes(repeated)));
        await Assert.ThrowsAsync<EngineException>(async () => await events.NextAsync(CancellationToken.None));
    }

    [Theory]
    [InlineData("The day's end: 智谱 🙂", 3)]
    [InlineData("智", 3)]
    [InlineData("智", 2)]
    [InlineData("", 0)]
    public void Bytes_that_came_without_ids_are_split_into_tokens_that_say_them(string text, int count)
    {
        TokenBytes vocabulary = new(FakeEngine.Tokenizer);
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        List<int> tokens = vocabulary.Split(bytes, count);
        Assert.Equal(bytes, tokens.SelectMany(id => FakeEngine.Tokenizer.BytesOf(id).ToArray()));
        if (text == "智" && count == 3)
            Assert.Equal(3, tokens.Count);
    }

    private static byte[] Change(List<byte> stream, Random random)
    {
        for (int times = random.Next(1, 4); times > 0 && stream.Count > 0; times--)
        {
            int at = random.Next(stream.Count);
            switch (random.Next(7))
            {
                case 0:
                    stream.RemoveRange(at, stream.Count - at);
                    break;
                case 1:
                    stream[at] = (byte)random.Next(256);
                    break;
                case 2:
                    stream.RemoveRange(at, Math.Min(random.Next(1, 40), stream.Count - at));
                    break;
                case 3:
                    stream.InsertRange(at, stream.GetRange(at, Math.Min(random.Next(1, 200), stream.Count - at)));
                    break;
                case 4:
                    stream.InsertRange(at, Encoding.UTF8.GetBytes(((string[])["\n\n", "data: ", "{", "]", "\0", "null", "-9999999999", "\"", ": ping\n\n"])[random.Next(9)]));
                    break;
                case 5:
                    int digit = stream.FindIndex(at, b => b is >= (byte)'0' and <= (byte)'9');
                    if (digit >= 0)
                        stream[digit] = (byte)('0' + random.Next(10));
                    break;
                default:
                    // Nothing: the whole stream must go on working among the broken ones.
                    break;
            }
        }

        return [.. stream];
    }

    /// <summary>A beginning, then the same for ever.</summary>
    private sealed class Endless(byte[] begin, byte[] repeated) : Stream
    {
        private bool _begun;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => 0; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            ReadOnlySpan<byte> next = _begun || begin.Length == 0 ? repeated : begin;
            _begun = true;
            int count = 0;
            while (next.Length <= buffer.Length - count)
            {
                next.CopyTo(buffer[count..]);
                count += next.Length;
                next = repeated;
            }

            if (count == 0)
                next[..(count = buffer.Length)].CopyTo(buffer);
            return count;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(buffer.Span));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
