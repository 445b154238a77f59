using System.Diagnostics.CodeAnalysis;
using Glimmer.Engine.Placement;
using Glimmer.Engine.Scheduling;
using Glimmer.Engine.Speculation;
using Glimmer.Models;

namespace Glimmer.Engine;

/// <summary>The engine's thread.</summary>
public sealed partial class InferenceEngine
{
    private readonly ForwardBatch _batch = new();
    private readonly List<Sequence> _planned = [];
    private readonly List<Sequence> _admitted = [];
    private readonly List<Sequence> _leaving = [];
    private readonly SpeculationTrial _trial = new();
    private float _guessesPayAt = AcceptanceGate.UsualLeast;
    private int _placesTaken;
    private bool _closed;

    [SuppressMessage("Design", "CA1031", Justification = "A defect in one pass must not take the engine down; it is logged and its requests end with a fault.")]
    private void Run()
    {
        bool idle = false;
        if (_placement is not null)
            LogThreadPlacement(_logger, TeamPlacement.Pin(_team, _placement, SystemPlacement.TryPin), _team.Threads, _placement.Nodes.Count);
        while (true)
        {
            // Reset before looking: whatever is set after this is seen in the next round.
            _wake.Reset();
            bool stopping = TakeInbox();
            try
            {
                if (Interlocked.Exchange(ref _sweep, 0) != 0)
                    EndWhere(static sequence => sequence.CancelRequested, GenerationEnd.Cancelled);
                if (stopping && _time.GetTimestamp() >= _stopDeadline)
                    EndWhere(static _ => true, GenerationEnd.Shutdown);
                if (_scheduler.HasWork)
                {
                    idle = false;
                    Pass();
                    continue;
                }
            }
            catch (Exception exception)
            {
                LogSchedulerFault(_logger, exception);
                _faults++;
                StartOver();
                continue;
            }

            PublishStatistics();
            if (!idle && _scheduler.FindLeak() is { } leak)
                LogLeak(_logger, leak);
            idle = true;
            RunIdleChecks();
            if (stopping && Close())
                break;
            while (!_wake.IsSet && _scheduler.KeepAhead())
            {
                // Nobody waits: pages go to disk as long as there are buffers for them.
            }

            _wake.Wait();
        }

        _stopped.SetResult();
    }

    /// <summary>Moves what was submitted into the line. Returns whether the engine is stopping.</summary>
    private bool TakeInbox()
    {
        lock (_gate)
        {
            _placesTaken = _scheduler.Running.Count;
            while (_inbox.TryDequeue(out Sequence? sequence))
                _scheduler.Line.Enqueue(sequence);
            return _stopping;
        }
    }

    /// <summary>Refuses everything from now on; false when something came in at the last moment.</summary>
    private bool Close()
    {
        lock (_gate)
        {
            if (_inbox.Count > 0 || _idleChecks.Count > 0)
                return false;
            _closed = true;
            return true;
        }
    }

    private void RunIdleChecks()
    {
        TaskCompletionSource[] checks;
        lock (_gate)
        {
            if (_inbox.Count > 0 || _idleChecks.Count == 0)
                return;
            checks = [.. _idleChecks];
            _idleChecks.Clear();
        }

        string? leak = _scheduler.FindLeak();
        foreach (TaskCompletionSource check in checks)
        {
            if (leak is null)
                check.SetResult();
            else
                check.SetException(new InvalidOperationException(leak));
        }
    }

    /// <summary>One forward pass and what follows from it.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "Whatever a model throws ends the requests of its pass and nothing else.")]
    private void Pass()
    {
        // 1. Decide what to compute.
        long began = _time.GetTimestamp(), generated = _generatedTokens;
        _scheduler.Plan(_batch, _planned, _admitted);
        CountAdmitted();
        if (_planned.Count == 0)
            throw new InvalidOperationException("There is work but the scheduler planned none.");

        int rows = 0, prompts = 0, answers = 0;
        foreach (Sequence sequence in _planned)
        {
            answers += sequence.Decoding ? 1 : 0;
            rows += sequence.Decoding ? sequence.ChunkTokens : 0;
            prompts += sequence.Decoding ? 0 : sequence.ChunkTokens;
        }

        int planned = _planned.Count;
        bool drafts = _draft is not null && _trial.Wants(planned);
        _batch.KeepHidden = drafts;

        double pays = rows > answers ? _scheduler.Times.BreakEven(answers, rows - answers) : -1;
        _guessesPayAt = pays < 0 ? AcceptanceGate.UsualLeast : (float)pays;

        // 2. Compute, and the constraints' masks at the same time.
        StartMasks();
        try
        {
            _model.Forward(_batch, _arena, _team);
        }
        catch (Exception exception)
        {
            FinishMasks();
            LogPassFault(_logger, exception, _planned.Count);
            _faults++;
            // Their rows of this pass may be half written: nothing of it goes into the cache.
            foreach (Sequence sequence in _planned)
                End(sequence, GenerationEnd.Fault, keepRows: false);
            return;
        }

        FinishMasks();

        // 3. Choose tokens, each sequence on its own.
        ChooseAll();

        // 4. Hand them over.
        foreach (Sequence sequence in _planned)
            Deliver(sequence);
        long computed = _time.GetTimestamp() - began;
        if (drafts)
            Draft();
        long ticks = _time.GetTimestamp() - began;
        if (prompts == 0 && _draft is not null)
            _trial.Note(planned, ticks, (int)(_generatedTokens - generated));
        _scheduler.Times.Note(rows, prompts, ticks, computed);
        _scheduler.KeepAhead();
        _passes++;
        PublishStatistics();
    }

    /// <summary>Guesses for the next pass. A draft layer that fails is not asked again; answers go on without it.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "Guessing is an aid: whatever goes wrong in it, the answers do not depend on it.")]
    private void Draft()
    {
        try
        {
            _draft!.Run(_batch, _planned, _arena, _team);
        }
        catch (Exception exception)
        {
            LogDraftFault(_logger, exception);
            _draft = null;
            foreach (Sequence sequence in _planned)
                sequence.ModelGuesses = 0;
        }
    }

    private void CountAdmitted()
    {
        if (_admitted.Count == 0)
            return;
        lock (_gate)
            _waiting -= _admitted.Count;
    }

    /// <summary>After a defect of the scheduler: ends everything and begins again with nothing held.</summary>
    private void StartOver()
    {
        _leaving.Clear();
        _leaving.AddRange(_scheduler.Running);
        _scheduler.RemoveWaiting(static _ => true, _leaving);
        _scheduler = new Scheduler(_options, _arena, _time.TimestampFrequency, _spill);
        foreach (Sequence sequence in _leaving)
            End(sequence, GenerationEnd.Fault, keepRows: false);
    }

    private void EndWhere(Func<Sequence, bool> ends, GenerationEnd end)
    {
        _leaving.Clear();
        _scheduler.RemoveWaiting(ends, _leaving);
        foreach (Sequence sequence in _scheduler.Running)
        {
            if (ends(sequence))
                _leaving.Add(sequence);
        }

        foreach (Sequence sequence in _leaving)
            End(sequence, end, keepRows: end != GenerationEnd.Fault);
    }

    [SuppressMessage("Design", "CA1031", Justification = "A sink that throws ends its own request only; the fault is logged.")]
    private void End(Sequence sequence, GenerationEnd end, bool keepRows)
    {
        if (sequence.Ended)
            return;
        sequence.Ended = true;
        if (!sequence.WasAdmitted)
        {
            lock (_gate)
                _waiting--;
        }

        _scheduler.Retire(sequence, keepRows);
        sequence.CancelRegistration.Unregister();
        _ended++;
        try
        {
            sequence.Request.Sink.OnEnded(end, sequence.Usage);
        }
        catch (Exception exception)
        {
            LogSinkFault(_logger, exception);
        }
    }
}
