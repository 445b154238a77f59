using System.Text;
using Glimmer.Dialogue.Constraints.Matching;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Constraints;

/// <summary>One generation's walk through a <see cref="CompiledConstraint"/>. Not safe for use by two threads at once.</summary>
public sealed class GrammarConstraint : ITokenConstraint
{
    private const int ExpectedTokens = 1024;

    /// <summary>Longest run of bytes looked ahead for tokens that are forced.</summary>
    private const int MaxForcedBytes = 256;

    private readonly CompiledConstraint _compiled;
    private readonly List<MatchState> _history;
    private MatchState _state;

    internal GrammarConstraint(CompiledConstraint compiled)
    {
        _compiled = compiled;
        _state = compiled.Machine.Start;
        _history = new List<MatchState>(ExpectedTokens);
    }

    private GrammarConstraint(GrammarConstraint other)
    {
        _compiled = other._compiled;
        _state = other._state;
        _history = [.. other._history];
        HasEnded = other.HasEnded;
    }

    /// <summary>What it walks through.</summary>
    public CompiledConstraint Compiled => _compiled;

    /// <summary>Whether the text accepted so far is complete; an end-of-turn is then allowed.</summary>
    public bool CanEnd => _state.CanEnd;

    /// <summary>Whether an end-of-turn has been accepted.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Tokens accepted so far.</summary>
    public int Count => _history.Count;

    /// <inheritdoc/>
    public bool FillMask(Span<uint> mask)
    {
        if (HasEnded)
        {
            mask.Clear();
            foreach (int stop in _compiled.StopTokenSet)
                mask[stop >> 5] |= 1u << (stop & 31);
            return true;
        }

        _compiled.Masks.MaskOf(_state).Fill(mask);
        return true;
    }

    /// <summary>
    /// Makes the mask that the next <see cref="FillMask"/> will write. Meant to run beside the forward pass that it belongs to;
    /// it may run on another thread, but not at the same time as a call that changes this object.
    /// </summary>
    public void Prepare()
    {
        if (!HasEnded)
            _compiled.Masks.MaskOf(_state);
    }

    /// <inheritdoc/>
    public void Accept(int token)
    {
        if (!TryAccept(token))
            throw new InvalidOperationException($"Token {token} is not allowed here.");
    }

    /// <summary>Moves on by a token; returns false, and changes nothing, when it is not allowed.</summary>
    public bool TryAccept(int token)
    {
        if (HasEnded)
            return _compiled.StopTokenSet.Contains(token);
        MatchState next = _state;
        if (_compiled.Vocabulary.Tokenizer.KindOf(token) == TokenKind.Text)
        {
            ReadOnlySpan<byte> bytes = _compiled.Vocabulary.Tokenizer.BytesOf(token);
            if (bytes.Length is 0 or > TokenTrie.MaxTokenBytes)
                return false;
            foreach (byte b in bytes)
            {
                next = next.Next(b);
                if (next.IsDead)
                    return false;
            }
        }
        else
        {
            next = _compiled.Machine.StepControl(_state, token);
            if (next.IsDead)
            {
                if (!_state.CanEnd || !_compiled.StopTokenSet.Contains(token))
                    return false;
                next = _state;
            }

            HasEnded = _compiled.StopTokenSet.Contains(token) && next.CanEnd;
        }

        _history.Add(_state);
        _state = next;
        return true;
    }

    /// <summary>Takes back the last tokens.</summary>
    /// <param name="tokens">How many, from 0 to <see cref="Count"/>.</param>
    public void Rollback(int tokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, _history.Count);
        if (tokens == 0)
            return;
        _state = _history[^tokens];
        _history.RemoveRange(_history.Count - tokens, tokens);
        HasEnded = false;
    }

    /// <summary>An independent constraint in the same place.</summary>
    public GrammarConstraint Clone() => new(this);

    /// <summary>
    /// Appends tokens that must come next whatever the model thinks, so that they need no sampling: the tokens of the text when only one
    /// continuation is legal. The last token of such a text is left to the model, since it could as well begin a longer token. The
    /// caller accepts them like sampled tokens.
    /// </summary>
    public void AppendForced(List<int> tokens)
    {
        if (HasEnded)
            return;
        Span<byte> bytes = stackalloc byte[MaxForcedBytes];
        int length = 0;
        MatchState state = _state;
        while (length < MaxForcedBytes && TryGetOnlyByte(state, out byte only))
        {
            bytes[length++] = only;
            state = state.Next(only);
        }

        // A control token is one id: nothing can be merged with it.
        bool endsWithControl = TryGetOnlyControl(state, out int control);
        if (length == 0)
        {
            if (endsWithControl)
                tokens.Add(control);
            return;
        }

        // A cut in the middle of a character is of no use to the tokenizer.
        if (!endsWithControl)
        {
            while (length > 0 && Rune.DecodeLastFromUtf8(bytes[..length], out _, out _) != System.Buffers.OperationStatus.Done)
                length--;
        }

        if (length == 0 || !System.Text.Unicode.Utf8.IsValid(bytes[..length]))
            return;
        int before = tokens.Count;
        _compiled.Vocabulary.Tokenizer.Encode(Encoding.UTF8.GetString(bytes[..length]), recogniseAdded: false, tokens);
        if (endsWithControl)
            tokens.Add(control);
        else if (tokens.Count > before)
            tokens.RemoveAt(tokens.Count - 1);
    }

    private static bool TryGetOnlyByte(MatchState state, out byte only)
    {
        only = 0;
        if (state.CanEnd)
            return false;
        foreach (MatchThread thread in state.Threads)
        {
            if (thread.Edge.Kind == Grammars.EdgeKind.Control)
                return false;
        }

        if (state.NextBytes.Count != 1)
            return false;
        only = state.NextBytes.First();
        return true;
    }

    private static bool TryGetOnlyControl(MatchState state, out int token)
    {
        token = -1;
        if (state.CanEnd)
            return false;
        foreach (MatchThread thread in state.Threads)
        {
            if (thread.Edge.Kind != Grammars.EdgeKind.Control || thread.Edge.Tokens!.Length != 1)
                return false;
            if (token >= 0 && token != thread.Edge.Tokens[0])
                return false;
            token = thread.Edge.Tokens[0];
        }

        return token >= 0;
    }
}
