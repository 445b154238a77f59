using System.IO.Pipelines;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Chat;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Chat;

public sealed class ChatAllocationTests
{
    [Fact]
    public void Writing_a_text_event_allocates_nothing()
    {
        var output = new RecyclingWriter();
        using var sse = new SseWriter(output);
        var chunks = new ChatChunkWriter(sse, new CompletionHead("id", "rid", 1, "glm-4.7"), toolStream: false, showReasoning: true);
        var events = new ChatEvent[] { new(ChatEventKind.Content, "token 中文 😀 \"quoted\"\n"), new(ChatEventKind.Reasoning, "thinking") };
        Write(1000);
        Assert.Equal(0, Allocation.Least(() => Write(1000)));
        Assert.True(output.Bytes > 1000 * 200);

        void Write(int count)
        {
            for (int i = 0; i < count; i++)
            {
                foreach (ChatEvent item in events)
                    chunks.Write(item);
                output.Recycle();
            }
        }
    }

    /// <summary>A pipe whose one buffer is used again and again.</summary>
    private sealed class RecyclingWriter : PipeWriter
    {
        private readonly byte[] _buffer = new byte[64 << 10];
        private int _used;

        public long Bytes { get; private set; }

        public void Recycle() => _used = 0;

        public override void Advance(int bytes)
        {
            _used += bytes;
            Bytes += bytes;
        }

        public override Memory<byte> GetMemory(int sizeHint = 0) => _buffer.AsMemory(_used);

        public override Span<byte> GetSpan(int sizeHint = 0) => _buffer.AsSpan(_used);

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => new(new FlushResult(false, false));
    }
}
