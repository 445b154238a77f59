using Glimmer.Kernels;
using Glimmer.Models;
using Glimmer.Models.Memory;

namespace Glimmer.Engine.Tests.Fakes;

/// <summary>
/// A model whose logits are a hash of all rows of the sequence, read back from the arena: a wrong page, a stale row, a
/// wrong position or a lost token changes every logit that follows.
/// </summary>
internal sealed unsafe class FakeModel(int vocabulary = 97, int context = 4096, bool recurrent = false) : LanguageModel
{
    private const int Width = 3;
    private static readonly Action<Job, int> RunRow = static (job, row) => job.Model.Row(job, row);
    private readonly Job _job = new();

    /// <summary>Called before each pass; what it throws is the model's fault.</summary>
    public Action<ForwardBatch>? OnForward { get; set; }

    /// <summary>Bends the logits of a row: (tokens so far, logits).</summary>
    public Action<IReadOnlyList<int>, float[]>? Bend { get; set; }

    /// <summary>Tokens computed over all passes.</summary>
    public long TokensComputed { get; private set; }

    /// <summary>Another model that answers the same.</summary>
    public FakeModel Twin() => new(vocabulary, context, recurrent) { Bend = Bend };

    public override ModelDescription Description { get; } = new("fake", vocabulary, Width, 1, context, 0);

    public override KvLayout KvLayout { get; } = new([new KvPlane("k", 0, Width), new KvPlane("v", 0, 1)], recurrent ? 2 : 0);

    public override void Forward(ForwardBatch batch, KvArena arena, ThreadTeam team)
    {
        OnForward?.Invoke(batch);
        batch.ReserveLogits(vocabulary);
        TokensComputed += batch.TokenCount;
        for (int i = 0; i < batch.Chunks.Count; i++)
        {
            SequenceChunk chunk = batch.Chunks[i];
            ReadOnlySpan<int> tokens = chunk.Tokens.Span, pages = chunk.Pages.Span;
            if (pages.Length * arena.PageTokens < chunk.Position + tokens.Length)
                throw new InvalidOperationException("The chunk has too few pages.");
            if (recurrent)
                Recur(arena, chunk);
            for (int t = 0; t < tokens.Length; t++)
            {
                int position = chunk.Position + t;
                if ((uint)tokens[t] >= (uint)vocabulary)
                    throw new InvalidOperationException($"Token {tokens[t]} is outside the vocabulary.");
                float* row = arena.Rows(0, pages[position / arena.PageTokens]) + position % arena.PageTokens * Width;
                row[0] = tokens[t];
                row[1] = position;
                row[2] = tokens[t] * 7 + position % 5;
                arena.Rows(1, pages[position / arena.PageTokens])[position % arena.PageTokens] = tokens[t];
            }

            int rows = chunk.Logits switch { LogitsWanted.All => tokens.Length, LogitsWanted.Last => 1, _ => 0 };
            (_job.Model, _job.Batch, _job.Arena, _job.Chunk, _job.Rows) = (this, batch, arena, i, rows);
            team.Run(rows, _job, RunRow);
        }
    }

    private void Row(Job job, int row)
    {
        SequenceChunk chunk = job.Batch!.Chunks[job.Chunk];
        ReadOnlySpan<int> pages = chunk.Pages.Span;
        int length = chunk.Position + chunk.Tokens.Length - job.Rows + row + 1;
        ulong hash = 1469598103934665603;
        for (int position = 0; position < length; position++)
        {
            float* cached = job.Arena!.Rows(0, pages[position / job.Arena.PageTokens]) + position % job.Arena.PageTokens * Width;
            float second = job.Arena.Rows(1, pages[position / job.Arena.PageTokens])[position % job.Arena.PageTokens];
            hash = Mix(hash ^ (ulong)cached[0] ^ ((ulong)cached[1] << 20) ^ ((ulong)cached[2] << 40) ^ ((ulong)second << 50));
        }

        if (recurrent)
            hash ^= (ulong)job.Arena!.State(chunk.StateSlot)[1];
        Span<float> logits = job.Batch.Logits(job.Chunk, row, vocabulary);
        Fill(hash, logits);
        if (Bend is null)
            return;
        List<int> seen = [];
        for (int position = 0; position < length; position++)
            seen.Add((int)job.Arena!.Rows(0, pages[position / job.Arena.PageTokens])[position % job.Arena.PageTokens * Width]);
        float[] bent = logits.ToArray();
        Bend(seen, bent);
        bent.CopyTo(logits);
    }

    private static void Recur(KvArena arena, in SequenceChunk chunk)
    {
        float* state = arena.State(chunk.StateSlot);
        if (chunk.Position == 0)
            state[0] = state[1] = 0;
        if (state[0] != chunk.Position)
            throw new InvalidOperationException($"The state stands at {state[0]}, the chunk at {chunk.Position}.");
        foreach (int token in chunk.Tokens.Span)
            state[1] = (state[1] * 31 + token) % 65521;
        state[0] += chunk.Tokens.Length;
    }

    private static void Fill(ulong hash, Span<float> logits)
    {
        for (int i = 0; i < logits.Length; i++)
        {
            hash = Mix(hash + (ulong)i);
            logits[i] = (hash >> 40) * (8f / (1 << 24));
        }
    }

    private static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    private sealed class Job
    {
        public FakeModel Model = null!;
        public ForwardBatch? Batch;
        public KvArena? Arena;
        public int Chunk;
        public int Rows;
    }
}
