using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Memory;
using Glimmer.Engine.Placement;
using Glimmer.Engine.Sampling;
using Glimmer.Engine.Scheduling;
using Glimmer.Engine.Speculation;
using Glimmer.Kernels;
using Glimmer.Models;
using Glimmer.Models.Memory;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Engine;

/// <summary>
/// Runs one model for any number of callers: requests come in, tokens go to their sinks. One thread of its own does
/// the scheduling and calls the sinks, a <see cref="ThreadTeam"/> does the arithmetic; no thread of the pool ever
/// waits for it.
/// </summary>
/// <remarks>
/// What else runs, how prompts are cut, page size, cache, threads, guesses and put-backs never change an answer: the
/// logits depend on the sequence alone (<see cref="LanguageModel"/>) and random numbers on seed and place alone.
/// </remarks>
public sealed partial class InferenceEngine : IDisposable
{
    private const int LongestChain = 3;
    private const int MostForeseen = 12;
    private readonly LanguageModel _model;
    private readonly EngineOptions _options;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly KvArena _arena;
    private readonly ThreadTeam _team;
    private readonly PrefixSpill? _spill;
    private Scheduler _scheduler;
    private readonly Sampler[] _samplers;
    private readonly (int Start, int Length)[] _unused;
    private readonly int _vocabulary;
    private readonly PlacementPlan? _placement;
    private ModelDraft? _draft;
    private readonly int _maskWords;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _wake = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly Lock _gate = new();
    private readonly Queue<Sequence> _inbox = new();
    private readonly List<TaskCompletionSource> _idleChecks = [];
    private int _waiting;
    private long _arrivals;
    private bool _stopping;
    private long _stopDeadline;
    private int _sweep;

    /// <summary>Reserves memory for the cache and starts the engine's thread.</summary>
    /// <param name="model">The model; the caller owns it and disposes it after the engine.</param>
    /// <param name="options">How to use the machine.</param>
    /// <param name="tokenizer">Says which ids are padding and never chosen; null when every id may be.</param>
    /// <param name="logger">Hears of faults.</param>
    /// <param name="time">Clock of the drain's deadline.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public InferenceEngine(LanguageModel model, EngineOptions options, ITokenizer? tokenizer = null, ILogger<InferenceEngine>? logger = null, TimeProvider? time = null)
    {
        options.Validate();
        _model = model;
        _options = options;
        _logger = logger ?? NullLogger<InferenceEngine>.Instance;
        _time = time ?? TimeProvider.System;
        _vocabulary = model.Description.VocabularySize;
        // A constraint writes a bit for every id of the tokenizer, the model has a row for every id: usually more, for padding.
        _maskWords = (Math.Max(_vocabulary, tokenizer?.VocabularySize ?? 0) + 31) / 32;
        int context = model.Description.ContextLength;
        if (options.ContextLength > 0)
            context = Math.Min(context, options.ContextLength);
        int pages = options.PagesFor(model, context);
        ContextLength = (int)Math.Min(context, (long)pages * options.PageTokens);
        _arena = new KvArena(model.KvLayout, pages, options.PageTokens, options.MaxBatch, model.KvFormat);
        int threads = options.Threads > 0 ? options.Threads : PhysicalCores.Count;
        _team = new ThreadTeam(threads);
        _placement = options.Placement == ThreadPlacement.None ? null : PlacementPlan.Make(NumaTopology.Read(), options.Placement, threads);
        if (_placement is { Nodes.Count: > 1 })
            SpreadCache(_placement.Nodes);
        _samplers = [.. Enumerable.Range(0, threads).Select(_ => new Sampler())];
        if (options is { PrefixSpill: { } folder, PrefixCache: true } && _arena.StateSlots == 0)
            _spill = PrefixSpill.Open(folder, options.PrefixSpillBytes, SpillIdentity.Of(options.ModelIdentity!, model, _arena), _arena.PageMemory(0).Length, _logger);
        _scheduler = new Scheduler(options, _arena, _time.TimestampFrequency, _spill);
        _unused = FindUnused(tokenizer, _vocabulary);
        // Longer chains of one layer's guesses are rarely right to their end.
        if (options.SpeculativeTokens > 0 && model.Draft is { } layer)
            _draft = new ModelDraft(layer, _vocabulary, _unused, Math.Min(options.SpeculativeTokens, LongestChain));
        PublishStatistics();
        _thread = new Thread(Run) { IsBackground = true, Name = "glimmer-engine" };
        _thread.Start();
    }

    /// <summary>Most tokens of prompt and answer together.</summary>
    public int ContextLength { get; }

    /// <summary>Rows of logits per token.</summary>
    public int VocabularySize => _vocabulary;

    /// <summary>Bytes reserved for the KV cache.</summary>
    public long KvBytes => _arena.Bytes;

    /// <summary>Hands a request to the engine. Never blocks on a pass.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="cancel">Ends it within one token.</param>
    /// <param name="generation">The handle when it was accepted.</param>
    /// <returns>Whether it was accepted; when not, the sink hears nothing.</returns>
    /// <exception cref="ArgumentException">The request is malformed: an id outside the vocabulary, a sampling value out of its range.</exception>
    public SubmissionOutcome Submit(GenerationRequest request, CancellationToken cancel, out RunningGeneration? generation)
    {
        RequestCheck.Check(request, _vocabulary);
        generation = null;
        if (request.Prompt.Count + 1L > ContextLength)
            return SubmissionOutcome.PromptTooLong;
        // A recurrent state can't be taken back to before a wrong guess.
        int guesses = _arena.StateSlots > 0 ? 0 : _options.SpeculativeTokens;
        int foresight = _arena.StateSlots == 0 && _options.JumpAhead && request.Constraint is GrammarConstraint ? MostForeseen : 0;
        Sequence sequence = new(request, ContextLength, _vocabulary, _maskWords, guesses, foresight, _draft is null ? 2 : 4, Wake);
        if (cancel.CanBeCanceled)
            sequence.CancelRegistration = cancel.UnsafeRegister(static state => ((Sequence)state!).Cancel(), sequence);
        SubmissionOutcome outcome = TryEnqueue(sequence);
        if (outcome == SubmissionOutcome.Accepted)
        {
            _wake.Set();
            generation = new RunningGeneration(sequence);
        }
        else
        {
            sequence.CancelRegistration.Unregister();
        }

        return outcome;
    }

    /// <summary>
    /// Completes once the engine is idle and no page or state slot is held by anybody but the cache.
    /// </summary>
    /// <exception cref="InvalidOperationException">Something leaked; the message says what.</exception>
    /// <exception cref="ObjectDisposedException">The engine stopped before.</exception>
    public Task AssertNoLeakAsync()
    {
        TaskCompletionSource check = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_closed)
                return Task.FromException(new ObjectDisposedException(nameof(InferenceEngine)));
            _idleChecks.Add(check);
        }

        _wake.Set();
        return check.Task;
    }

    /// <summary>
    /// Takes no more requests, lets the accepted ones finish until the grace is over, ends the rest with
    /// <see cref="GenerationEnd.Shutdown"/> and completes. A second call can only shorten the grace.
    /// </summary>
    public Task StopAsync(TimeSpan grace)
    {
        long deadline = _time.GetTimestamp() + (long)(Math.Min(grace.TotalSeconds, 1e6) * _time.TimestampFrequency);
        lock (_gate)
        {
            _stopDeadline = _stopping ? Math.Min(_stopDeadline, deadline) : deadline;
            _stopping = true;
        }

        _wake.Set();
        return _stopped.Task;
    }

    /// <summary>Stops at once, ends what runs with <see cref="GenerationEnd.Shutdown"/> and gives the memory back. Must not be called by a sink.</summary>
    public void Dispose()
    {
        _ = StopAsync(TimeSpan.Zero);
        if (Environment.CurrentManagedThreadId == _thread.ManagedThreadId)
            throw new InvalidOperationException("A sink can't dispose the engine that calls it.");
        _thread.Join();
        EndMaskThread();
        _spill?.Dispose();
        _team.Dispose();
        _arena.Dispose();
        _wake.Dispose();
    }

    private SubmissionOutcome TryEnqueue(Sequence sequence)
    {
        lock (_gate)
        {
            if (_stopping)
                return SubmissionOutcome.Stopping;
            // What fits the free places doesn't wait.
            if (_waiting >= _options.QueueLimit + Math.Max(0, _options.MaxBatch - _placesTaken))
                return SubmissionOutcome.QueueFull;
            _waiting++;
            sequence.Order = _arrivals++;
            _inbox.Enqueue(sequence);
            return SubmissionOutcome.Accepted;
        }
    }

    /// <summary>Pages of all sequences are read by all threads: no node should have to serve them alone.</summary>
    private unsafe void SpreadCache(IReadOnlyList<int> nodes)
    {
        fixed (byte* pages = _arena.PageMemory(0))
            LogCachePlacement(_logger, SystemPlacement.TryInterleave(pages, (long)_arena.PageMemory(0).Length * _arena.Pages, nodes), nodes.Count);
    }

    private static (int Start, int Length)[] FindUnused(ITokenizer? tokenizer, int vocabulary)
    {
        List<(int Start, int Length)> ranges = [];
        for (int id = 0; tokenizer is not null && id < vocabulary; id++)
        {
            if (tokenizer.KindOf(id) != TokenKind.Unused)
                continue;
            if (ranges.Count > 0 && ranges[^1].Start + ranges[^1].Length == id)
                ranges[^1] = (ranges[^1].Start, ranges[^1].Length + 1);
            else
                ranges.Add((id, 1));
        }

        return [.. ranges];
    }

    private void Wake()
    {
        Volatile.Write(ref _sweep, 1);
        _wake.Set();
    }
}
