namespace Glimmer.Models;

/// <summary>Which rows of a chunk need logits.</summary>
public enum LogitsWanted
{
    /// <summary>None: a chunk in the middle of a prompt.</summary>
    None,

    /// <summary>The last row: the next token is sampled from it.</summary>
    Last,

    /// <summary>Every row: verification of drafts, perplexity, tests.</summary>
    All,
}

/// <summary>Consecutive tokens of one sequence: a piece of a prompt, or the one new token of a decode step.</summary>
/// <param name="Tokens">Token ids, at least one.</param>
/// <param name="Position">Position of the first token in its sequence; rows 0 … Position−1 are already in the cache.</param>
/// <param name="Pages">Pages of the sequence in order, enough for Position + Tokens.Length tokens.</param>
/// <param name="StateSlot">Slot of the recurrent state; ignored by models that have none. The state is reset when Position is 0.</param>
/// <param name="Logits">Which rows need logits.</param>
public readonly record struct SequenceChunk(
    ReadOnlyMemory<int> Tokens,
    int Position,
    ReadOnlyMemory<int> Pages,
    int StateSlot,
    LogitsWanted Logits);

/// <summary>
/// One forward pass: chunks of any number of sequences, and room for their logits. Reused from pass to pass so that
/// a decode step allocates nothing.
/// </summary>
public sealed class ForwardBatch
{
    private readonly List<SequenceChunk> _chunks = [];
    private readonly List<ReadOnlyMemory<float>> _states = [];
    private readonly List<int> _firstLogitsRow = [];
    private readonly List<int> _firstRow = [];
    private float[] _logits = [];
    private float[] _hidden = [];
    private int _rows;
    private int _logitsRows;

    /// <summary>The chunks, in the order added.</summary>
    public IReadOnlyList<SequenceChunk> Chunks => _chunks;

    /// <summary>Tokens over all chunks.</summary>
    public int TokenCount => _rows;

    /// <summary>Rows of logits over all chunks.</summary>
    public int LogitsRows => _logitsRows;

    /// <summary>Receives every named intermediate result when set; only tests and <c>golden</c> set it.</summary>
    public IForwardObserver? Observer { get; set; }

    /// <summary>Whether the pass keeps every row's state after the final norm, for a draft model.</summary>
    public bool KeepHidden { get; set; }

    /// <summary>Removes all chunks.</summary>
    public void Clear()
    {
        _chunks.Clear();
        _states.Clear();
        _firstRow.Clear();
        _firstLogitsRow.Clear();
        _rows = 0;
        _logitsRows = 0;
    }

    /// <summary>Adds a chunk and returns its index.</summary>
    public int Add(in SequenceChunk chunk) => Add(chunk, default);

    /// <summary>Adds a chunk for a draft model, with one state per token, shape (tokens, hidden), and returns its index.</summary>
    public int Add(in SequenceChunk chunk, ReadOnlyMemory<float> states)
    {
        ArgumentOutOfRangeException.ThrowIfZero(chunk.Tokens.Length, nameof(chunk));
        _chunks.Add(chunk);
        _states.Add(states);
        _firstLogitsRow.Add(_logitsRows);
        _firstRow.Add(_rows);
        _rows += chunk.Tokens.Length;
        _logitsRows += chunk.Logits switch
        {
            LogitsWanted.All => chunk.Tokens.Length,
            LogitsWanted.Last => 1,
            _ => 0,
        };
        return _chunks.Count - 1;
    }

    /// <summary>Room for the logits of the pass, shape (<see cref="LogitsRows"/>, vocabulary); the model fills it.</summary>
    public Span<float> ReserveLogits(int vocabulary)
    {
        int length = checked(_logitsRows * vocabulary);
        if (_logits.Length < length)
            _logits = GC.AllocateUninitializedArray<float>(length);
        return _logits.AsSpan(0, length);
    }

    /// <summary>Room for the states of the pass, shape (<see cref="TokenCount"/>, hidden); the model fills it when <see cref="KeepHidden"/> is set.</summary>
    public Span<float> ReserveHidden(int hidden)
    {
        int length = checked(_rows * hidden);
        if (_hidden.Length < length)
            _hidden = GC.AllocateUninitializedArray<float>(length);
        return _hidden.AsSpan(0, length);
    }

    /// <summary>States of rows of a chunk after the final norm, shape (count, hidden), valid until the next pass.</summary>
    public ReadOnlyMemory<float> Hidden(int chunk, int row, int count, int hidden) =>
        _hidden.AsMemory((_firstRow[chunk] + row) * hidden, count * hidden);

    /// <summary>The states a chunk was added with; empty without.</summary>
    public ReadOnlyMemory<float> States(int chunk) => _states[chunk];

    /// <summary>The logits of one row of a chunk (row 0 for <see cref="LogitsWanted.Last"/>), valid until the next pass; the caller may change them.</summary>
    public Span<float> Logits(int chunk, int row, int vocabulary) =>
        _logits.AsSpan((_firstLogitsRow[chunk] + row) * vocabulary, vocabulary);
}

/// <summary>Sees intermediate results of a forward pass, under the names of the golden data (<c>hidden.3</c>, <c>router.2.logits</c> …).</summary>
public interface IForwardObserver
{
    /// <summary>One result, shape (rows, columns), rows in the order of the batch's tokens. The span is only valid during the call.</summary>
    void Observe(string name, int rows, int columns, ReadOnlySpan<float> values);
}
