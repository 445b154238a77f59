using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Inference.Prompting;

namespace Glimmer.Inference.Embedded;

/// <summary>
/// One answer of the embedded engine: reads tokens on the engine's thread, so that a stop text ends the generation at
/// its token and the counts are exact, and hands the events to its reader.
/// </summary>
internal sealed class EmbeddedChatAnswer : IChatAnswer, ILogProbSink
{
    private readonly OutputAutomaton _automaton;
    private readonly IReadOnlySet<int> _silentStops;
    private readonly List<ChatEvent> _events = [];
    private readonly EventBuffer _buffer = new();
    private readonly int _promptTokens;
    private SaidTokens? _said;
    private readonly Action? _ended;
    private RunningGeneration? _generation;
    private volatile int _cachedTokens;
    private volatile int _completionTokens;
    private volatile int _reasoningTokens;
    private volatile FinishReason _finish = FinishReason.Cancelled;
    private int _readers;

    /// <summary>An answer that is about to be generated.</summary>
    /// <param name="automaton">Reads it.</param>
    /// <param name="silentStops">Ids that end the turn without the automaton knowing them.</param>
    /// <param name="promptTokens">Tokens of the prompt.</param>
    /// <param name="ended">Called when the engine is done with it; null for nobody.</param>
    public EmbeddedChatAnswer(OutputAutomaton automaton, IReadOnlySet<int> silentStops, int promptTokens, Action? ended = null)
    {
        _ended = ended;
        _automaton = automaton;
        _silentStops = silentStops;
        _promptTokens = promptTokens;
    }

    /// <inheritdoc/>
    public FinishReason Finish => _finish;

    /// <inheritdoc/>
    public ChatUsage Usage => new(_promptTokens, _cachedTokens, _completionTokens, _reasoningTokens);

    /// <inheritdoc/>
    public IReadOnlyList<Relaxation> Relaxations { get; init; } = [];

    /// <summary>The vocabulary that probabilities are told in; null when nobody asked for them.</summary>
    public ITokenizer? Spelling
    {
        init => _said = value is null ? null : new SaidTokens(value, _automaton);
    }

    /// <inheritdoc/>
    public string? StopText => _automaton.StopText;

    /// <inheritdoc/>
    public int CountRepairs(Repairs kind) => _automaton.CountOf(kind);

    /// <summary>Names the running generation, so that the reader can cancel it.</summary>
    public void Attach(RunningGeneration generation) => _generation = generation;

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _readers, 1) != 0)
            throw new InvalidOperationException("An answer can be read once.");
        // Cancelling ends the generation; the reader then sees its end, with what was made until then.
        using CancellationTokenRegistration registration = cancel.UnsafeRegister(static answer => ((EmbeddedChatAnswer)answer!).Cancel(), this);
        try
        {
            List<ChatEvent> spare = [];
            while (await _buffer.TakeAsync(spare) is { } events)
            {
                foreach (ChatEvent said in events)
                    yield return said;
                spare = events;
            }
        }
        finally
        {
            // A reader that goes away before the end wants no more.
            Cancel();
        }
    }

    /// <inheritdoc/>
    public void OnPrefilled(int promptTokens, int cachedTokens) => _cachedTokens = cachedTokens;

    /// <inheritdoc/>
    public void OnLogProbs(TokenLogProb chosen, ReadOnlySpan<TokenLogProb> top)
    {
        if (_said is null || !_said.Wants(chosen.Token))
            return;
        var chances = new TokenChance[top.Length];
        for (int i = 0; i < top.Length; i++)
            chances[i] = _said.ChanceOf(top[i].Token, top[i].LogProb);
        _said.Add(chosen.Token, chosen.LogProb, chances);
    }

    /// <inheritdoc/>
    public bool OnToken(int token)
    {
        if (_silentStops.Contains(token))
            return false;
        _events.Clear();
        AutomatonVerdict verdict = _automaton.Feed(token, _events);
        _said?.Give(_events);
        _buffer.Write(_events);
        return verdict == AutomatonVerdict.Continue;
    }

    /// <inheritdoc/>
    public void OnEnded(GenerationEnd end, GenerationUsage usage)
    {
        _events.Clear();
        try
        {
            _finish = _automaton.Finish(CauseOf(end), _events);
            _reasoningTokens = _automaton.ReasoningTokens;
            _said?.Give(_events);
        }
        catch
        {
            // The engine logs it; the reader must not wait for ever.
            _finish = FinishReason.BackendFault;
            throw;
        }
        finally
        {
            _cachedTokens = usage.CachedTokens;
            _completionTokens = usage.GeneratedTokens;
            _buffer.Write(_events);
            _buffer.Complete();
            _ended?.Invoke();
        }
    }

    private static EndCause CauseOf(GenerationEnd end) => end switch
    {
        GenerationEnd.StopToken or GenerationEnd.SinkSatisfied => EndCause.StopToken,
        GenerationEnd.MaxTokens => EndCause.MaxTokens,
        GenerationEnd.ContextFull => EndCause.ContextFull,
        GenerationEnd.Cancelled or GenerationEnd.Shutdown => EndCause.Cancelled,
        _ => EndCause.Fault,
    };

    private void Cancel()
    {
        if (!_buffer.IsCompleted)
            _generation?.Cancel();
    }
}
