using System.Runtime.InteropServices;
using Glimmer.Dialogue.Constraints;
using Glimmer.Engine.Memory;
using Glimmer.Models;
using Glimmer.Models.Memory;

namespace Glimmer.Engine.Scheduling;

/// <summary>
/// Decides what the next pass computes: who holds a place, which pages hold whose rows, how many prompt tokens go
/// beside the running answers, and who is put back when pages run out. Used by the engine's thread alone.
/// </summary>
internal sealed partial class Scheduler
{
    private readonly EngineOptions _options;
    private readonly long _mixedTicks;
    private readonly long _leastMixedTicks;
    private readonly KvArena _arena;
    private readonly PagePool _pool;
    private readonly PrefixCache? _cache;
    private readonly PrefixSpill? _spill;
    private readonly Stack<int> _freeSlots = new();
    private readonly List<Sequence> _running = [];
    private readonly List<Sequence> _putBack = [];
    private readonly List<Tenant> _prefillTenants = [];
    private readonly int[] _matched;
    private readonly List<int> _foreseen = [];
    private int _prefillTurn;
    private const int FirstMixedTokens = 4;

    /// <summary>A scheduler over an empty arena.</summary>
    /// <param name="options">How the machine is used.</param>
    /// <param name="arena">Memory of the rows.</param>
    /// <param name="tickFrequency">Ticks per second of the times noted.</param>
    /// <param name="spill">Where evicted pages go; null for nowhere.</param>
    public Scheduler(EngineOptions options, KvArena arena, long tickFrequency, PrefixSpill? spill = null)
    {
        _spill = spill;
        _options = options;
        _mixedTicks = (long)(options.MixedPassTime.TotalSeconds * tickFrequency);
        _leastMixedTicks = (long)(options.UnnoticedPassTime.TotalSeconds * tickFrequency);
        _arena = arena;
        _pool = new PagePool(arena.Pages);
        // A recurrent state can't be cut back to the end of a prefix, so rows alone are of no use to such a model.
        if (options.PrefixCache && arena.Layout.StateWidth == 0)
            _cache = new PrefixCache(_pool, arena.PageTokens, spill, arena.PageMemory);
        for (int slot = arena.StateSlots - 1; slot >= 0; slot--)
            _freeSlots.Push(slot);
        _matched = new int[arena.Pages];
    }

    /// <summary>Sequences that hold a place, oldest first.</summary>
    public IReadOnlyList<Sequence> Running => _running;

    /// <summary>The waiting requests of all tenants.</summary>
    public TenantRing Line { get; } = new();

    /// <summary>Requests without a place, those put back included.</summary>
    public int Waiting => Line.Waiting + _putBack.Count;

    /// <summary>Whether there is anything to compute.</summary>
    public bool HasWork => _running.Count > 0 || Waiting > 0;

    /// <summary>Who holds which page.</summary>
    public PagePool Pool => _pool;

    /// <summary>What passes cost: sizes the prompts' share beside running answers.</summary>
    public PassTimes Times { get; } = new();

    /// <summary>Times a sequence was put back.</summary>
    public long Preemptions { get; private set; }

    /// <summary>Prompt tokens reused.</summary>
    public long CachedTokens { get; private set; }

    /// <summary>
    /// Fills the batch for one pass: first the running answers, oldest first, then prompts under the token budget.
    /// </summary>
    /// <param name="batch">Receives the chunks.</param>
    /// <param name="planned">Receives their sequences, in the same order.</param>
    /// <param name="admitted">Receives the requests that left the line.</param>
    public void Plan(ForwardBatch batch, List<Sequence> planned, List<Sequence> admitted)
    {
        batch.Clear();
        planned.Clear();
        admitted.Clear();
        int answering = 0;
        // A put-back changes the list's end only, and never a sequence that was planned already: those are older.
        for (int i = 0; i < _running.Count; i++)
        {
            Sequence sequence = _running[i];
            if (!sequence.Decoding)
                continue;
            if (!EnsureRoom(sequence))
                break;
            Guess(sequence);
            answering += sequence.Remaining + sequence.GuessCount;
            AddChunk(batch, planned, sequence, sequence.Remaining + sequence.GuessCount);
        }

        int budget = answering > 0 ? MixedBudget(answering) : _options.PrefillTokens;
        Admit(budget, admitted);
        Grant(budget, answering > 0);
        for (int i = 0; i < _running.Count; i++)
        {
            if (_running[i].Granted > 0)
                AddChunk(batch, planned, _running[i], _running[i].Granted);
        }
    }

    /// <summary>Prompt tokens beside so many rows of running answers.</summary>
    private int MixedBudget(int rows)
    {
        if (_options.MixedPassRatio == 0 && _mixedTicks == 0)
            return _options.MixedPrefillTokens;
        double ratio = _options.MixedPassRatio == 0 ? double.MaxValue : _options.MixedPassRatio;
        return Math.Min(_options.MixedPrefillTokens, Times.Budget(rows, ratio, _leastMixedTicks, _mixedTicks, FirstMixedTokens));
    }

    /// <summary>Gives everything back that a sequence holds. With <paramref name="keepRows"/> its rows stay for reuse.</summary>
    public void Retire(Sequence sequence, bool keepRows)
    {
        if (_running.Remove(sequence))
            FreePlace(sequence, keepRows);
        else
            _putBack.Remove(sequence);
        if (sequence.WasAdmitted)
            sequence.Tenant!.Running--;
        Line.Forget(sequence.Tenant!);
    }

    /// <summary>Between two passes: brings a page that is soon to be evicted to the spill file.</summary>
    /// <returns>Whether there was one.</returns>
    public bool KeepAhead() => _cache is not null && _cache.KeepAhead();

    /// <summary>Notes that a sequence's rows up to <see cref="Sequence.Computed"/> are written, so that others can use whole pages of its prompt.</summary>
    public void Share(Sequence sequence)
    {
        int full = sequence.Computed / _arena.PageTokens;
        if (_cache is null || full <= sequence.PagesShared)
            return;
        _cache.Insert(ScopeOf(sequence), sequence.Tokens.AsSpan(0, full * _arena.PageTokens), sequence.Pages, keepPartial: false);
        sequence.PagesShared = full;
    }

    /// <summary>Takes the waiting and put-back requests that <paramref name="leaves"/> says out of line.</summary>
    public void RemoveWaiting(Func<Sequence, bool> leaves, List<Sequence> removed)
    {
        Line.RemoveWhere(leaves, removed);
        foreach (Sequence sequence in _putBack)
        {
            if (leaves(sequence))
                removed.Add(sequence);
        }
    }

    /// <summary>What is held although nothing runs or waits, or null when all is well.</summary>
    public string? FindLeak()
    {
        if (HasWork)
            return $"{_running.Count} sequences run and {Waiting} wait.";
        if (_pool.InUse != 0)
            return $"{_pool.InUse} pages are held although nothing runs.";
        if (_pool.Free + _pool.Cached != _pool.Pages)
            return $"{_pool.Free} free and {_pool.Cached} cached pages don't add up to {_pool.Pages}.";
        if (_freeSlots.Count != _arena.StateSlots)
            return $"{_arena.StateSlots - _freeSlots.Count} state slots are held although nothing runs.";
        if ((_cache?.Nodes ?? 0) != _pool.Cached)
            return $"The prefix cache has {_cache?.Nodes ?? 0} nodes but {_pool.Cached} pages are cached.";
        return _cache?.FindFault();
    }

    private void AddChunk(ForwardBatch batch, List<Sequence> planned, Sequence sequence, int tokens)
    {
        bool last = sequence.Computed + tokens >= sequence.Count;
        sequence.ChunkStart = sequence.Computed;
        sequence.ChunkTokens = tokens;
        sequence.WantsToken = last;
        sequence.Chunk = batch.Add(new SequenceChunk(
            sequence.Tokens.AsMemory(sequence.Computed, tokens),
            sequence.Computed,
            sequence.Pages.AsMemory(0, sequence.PageCount),
            sequence.StateSlot,
            !last ? LogitsWanted.None : sequence.GuessCount > 0 ? LogitsWanted.All : LogitsWanted.Last));
        planned.Add(sequence);
    }

    /// <summary>Lets a sequence guess ahead, as far as the pages it holds reach.</summary>
    private void Guess(Sequence sequence)
    {
        sequence.GuessCount = 0;
        sequence.GuessSource = GuessSource.None;
        int byModel = sequence.ModelGuesses;
        sequence.ModelGuesses = 0;
        if (sequence.Guesses.Length == 0 || sequence.Remaining != 1)
            return;
        // The last token of the answer needs no row, and a token behind the limit no guess.
        int most = Math.Min(
            Math.Min(sequence.Limit - sequence.Count, sequence.Request.MaxTokens - sequence.Generated) - 1,
            sequence.PageCount * _arena.PageTokens - sequence.Count);
        if (most <= 0)
            return;

        // What the constraint foresees is nearly certain, a long repetition better than the draft layer's guess.
        if (_options.JumpAhead && sequence.Request.Constraint is GrammarConstraint grammar)
        {
            _foreseen.Clear();
            grammar.AppendForced(_foreseen);
            sequence.GuessCount = Math.Min(Math.Min(_foreseen.Count, most), sequence.Guesses.Length);
            CollectionsMarshal.AsSpan(_foreseen)[..sequence.GuessCount].CopyTo(sequence.Guesses);
            sequence.GuessSource = GuessSource.Constraint;
        }

        most = Math.Min(most, sequence.MostDrafted);
        if (sequence.GuessCount == 0 && sequence.Drafter is { } drafter && most > 0)
        {
            sequence.GuessCount = drafter.Guess(sequence.Tokens.AsSpan(0, sequence.Count), sequence.Guesses.AsSpan(0, most));
            sequence.GuessSource = GuessSource.Text;
        }

        if (sequence.GuessCount == 0 && byModel > 0)
        {
            sequence.GuessCount = Math.Min(byModel, most);
            sequence.GuessSource = GuessSource.Model;
        }

        sequence.PlaceGuesses();
    }

    /// <summary>Shares the budget out in small pieces, in turn between tenants and between each tenant's prompts.</summary>
    private void Grant(int budget, bool answering)
    {
        const int Piece = 32;
        foreach (Tenant tenant in _prefillTenants)
            tenant.Prefilling.Clear();
        _prefillTenants.Clear();
        int restorable = answering ? RestoredBesideAnswers : int.MaxValue;
        foreach (Sequence sequence in _running)
        {
            sequence.Granted = 0;
            if (sequence.Decoding)
                continue;
            AdoptComputed(sequence);
            Restore(sequence, ref restorable);
            if (sequence.IsRestoring)
                continue;
            if (sequence.Tenant!.Prefilling.Count == 0)
                _prefillTenants.Add(sequence.Tenant);
            sequence.Tenant.Prefilling.Add(sequence);
        }

        int satisfied = 0;
        _prefillTurn = (_prefillTurn + 1) & 0xFFFF;
        for (int visit = 0; budget > 0 && satisfied < _prefillTenants.Count; visit++)
        {
            Tenant tenant = _prefillTenants[(_prefillTurn + visit) % _prefillTenants.Count];
            if (NextHungry(tenant, out int wanted) is not { } sequence)
            {
                // Counted once more on every further visit; all of them in a row means that nobody wants more.
                satisfied++;
                continue;
            }

            satisfied = 0;
            int piece = Math.Min(Math.Min(Piece, budget), wanted);
            sequence.Granted += piece;
            budget -= piece;
        }
    }

    private static Sequence? NextHungry(Tenant tenant, out int wanted)
    {
        for (int i = 0; i < tenant.Prefilling.Count; i++)
        {
            tenant.Turn = (tenant.Turn + 1) % tenant.Prefilling.Count;
            Sequence sequence = tenant.Prefilling[tenant.Turn];
            wanted = Math.Min(sequence.Remaining, sequence.MostGranted) - sequence.Granted;
            if (wanted > 0)
                return sequence;
        }

        wanted = 0;
        return null;
    }
}
