namespace Glimmer.Engine.Sampling;

/// <summary>Which tokens a sequence holds and how often each was generated; kept only for sequences with a penalty.</summary>
internal sealed class TokenHistory
{
    private readonly Dictionary<int, int> _slots = [];
    private readonly List<int> _tokens = [];
    private readonly List<int> _generated = [];

    /// <summary>Distinct tokens.</summary>
    public int Count => _tokens.Count;

    /// <summary>The i-th distinct token and how often it was generated (0: it is only in the prompt).</summary>
    public (int Token, int Generated) this[int i] => (_tokens[i], _generated[i]);

    /// <summary>Makes room for so many distinct tokens more, so that noting them allocates nothing.</summary>
    public void Reserve(int more)
    {
        int tokens = Count + more;
        _slots.EnsureCapacity(tokens);
        _tokens.EnsureCapacity(tokens);
        _generated.EnsureCapacity(tokens);
    }

    /// <summary>Notes a token of the prompt.</summary>
    public void AddPrompt(int token) => Slot(token);

    /// <summary>Notes a generated token.</summary>
    public void AddGenerated(int token) => _generated[Slot(token)]++;

    private int Slot(int token)
    {
        if (_slots.TryGetValue(token, out int slot))
            return slot;
        slot = _tokens.Count;
        _slots.Add(token, slot);
        _tokens.Add(token);
        _generated.Add(0);
        return slot;
    }
}
