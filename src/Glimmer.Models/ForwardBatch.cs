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
    private readonly List<int> _firstLogitsRow = [];
    private float[] _logits = [];
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

    /// <summary>Removes all chunks.</summary>
    public void Clear()
    {
        _chunks.Clear();
        _firstLogitsRow.Clear();
        _rows = 0;
        _logitsRows = 0;
    }

    /// <summary>Adds a chunk and returns its index.</summary>
    public int Add(in SequenceChunk chunk)
    {
        ArgumentOutOfRangeException.ThrowIfZero(chunk.Tokens.Length, nameof(chunk));
        _chunks.Add(chunk);
        _firstLogitsRow.Add(_logitsRows);
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
