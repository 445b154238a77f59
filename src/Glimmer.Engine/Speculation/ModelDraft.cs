using Glimmer.Engine.Scheduling;
using Glimmer.Kernels;
using Glimmer.Kernels.Elementwise;
using Glimmer.Models;
using Glimmer.Models.Memory;

namespace Glimmer.Engine.Speculation;

/// <summary>
/// Guesses with the model's own multi-token-prediction layer. After every pass it runs the layer over the same rows,
/// from the trunk's states, and for running answers goes on from its own guesses.
/// </summary>
/// <remarks>
/// The layer's cache rows depend on the token after theirs, so the last row of a shared prefix may stem from another
/// continuation, and rows are missing where it rested. Both cost right guesses at most: every guess is verified.
/// </remarks>
/// <param name="layer">The layer.</param>
/// <param name="vocabulary">Rows of logits.</param>
/// <param name="unused">Ids that are never chosen.</param>
/// <param name="most">Most guesses a pass for one sequence.</param>
internal sealed class ModelDraft(IDraftModel layer, int vocabulary, (int Start, int Length)[] unused, int most)
{
    private readonly ForwardBatch _batch = new() { KeepHidden = true };
    private readonly List<Sequence> _guessing = [];

    /// <summary>Runs the layer behind a pass of the trunk whose tokens are handed over, and leaves its guesses with the sequences.</summary>
    public void Run(ForwardBatch trunk, List<Sequence> planned, KvArena arena, ThreadTeam team)
    {
        _batch.Clear();
        _guessing.Clear();
        foreach (Sequence sequence in planned)
        {
            int rows = sequence.Computed - sequence.ChunkStart;
            if (sequence.Ended || rows <= 0)
                continue;
            bool guesses = sequence is { Decoding: true, Remaining: 1, MostDrafted: > 0 };
            sequence.DraftChunk = _batch.Add(
                new SequenceChunk(
                    sequence.Tokens.AsMemory(sequence.ChunkStart + 1, rows),
                    sequence.ChunkStart,
                    sequence.Pages.AsMemory(0, sequence.PageCount),
                    sequence.StateSlot,
                    guesses ? LogitsWanted.Last : LogitsWanted.None),
                trunk.Hidden(sequence.Chunk, 0, rows, layer.HiddenSize));
            sequence.DraftRows = rows;
            if (guesses)
                _guessing.Add(sequence);
        }

        if (_batch.Chunks.Count == 0)
            return;
        layer.Forward(_batch, arena, team);
        for (int depth = 0; _guessing.Count > 0; depth++)
        {
            foreach (Sequence sequence in _guessing)
                TakeGuess(sequence, depth);
            if (depth + 1 == most)
                return;
            ExtendChains(depth, arena.PageTokens);
            if (_guessing.Count > 0)
                layer.Forward(_batch, arena, team);
        }
    }

    private void TakeGuess(Sequence sequence, int depth)
    {
        Span<float> logits = _batch.Logits(sequence.DraftChunk, 0, vocabulary);
        foreach ((int start, int length) in unused)
            logits.Slice(start, length).Fill(float.NegativeInfinity);
        // An index of −1 (no finite logit) ends the chain as a wrong guess would.
        sequence.Guesses[depth] = Math.Max(0, RowScans.IndexOfLargest(logits, out _));
        sequence.ModelGuesses = depth + 1;
        sequence.DraftState = _batch.Hidden(sequence.DraftChunk, sequence.DraftRows - 1, 1, layer.HiddenSize);
    }

    /// <summary>Puts the guesses just made into the next batch, where the sequence has a page for their row.</summary>
    private void ExtendChains(int depth, int pageTokens)
    {
        _batch.Clear();
        int kept = 0;
        for (int i = 0; i < _guessing.Count; i++)
        {
            Sequence sequence = _guessing[i];
            int position = sequence.Computed + depth;
            if (position >= sequence.PageCount * pageTokens || depth + 1 >= sequence.MostDrafted)
                continue;
            sequence.DraftChunk = _batch.Add(
                new SequenceChunk(
                    sequence.Guesses.AsMemory(depth, 1),
                    position,
                    sequence.Pages.AsMemory(0, sequence.PageCount),
                    sequence.StateSlot,
                    LogitsWanted.Last),
                sequence.DraftState);
            sequence.DraftRows = 1;
            _guessing[kept++] = sequence;
        }

        _guessing.RemoveRange(kept, _guessing.Count - kept);
    }
}
