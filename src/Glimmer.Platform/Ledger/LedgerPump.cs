using Glimmer.Platform.Store;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// Gathers what is settled while the last group is being committed and gives it to the store as one write; one group at a
/// time, so that what the store says between two groups is known exactly. When a group takes long, or the database is away, what
/// has gathered meanwhile goes into the journal, and whoever waits goes on from there; the groups are still stored, once.
/// </summary>
internal sealed class LedgerPump(WriteQueue queue, LedgerWriter writer, LedgerJournal? journal, TimeSpan journalAfter, Func<bool> isAway, Action<Exception> failed)
{
    private readonly Lock _gate = new();

    // What becomes of a round is decided under it: the journal has it, or it has failed. Taken behind the gate, never before it.
    private readonly Lock _deciding = new();
    private TaskCompletionSource? _added;
    private LedgerGroup _open = new();
    private bool _running;
    private int _waiting;
    private Task _loop = Task.CompletedTask;

    /// <summary>Settled requests not stored yet.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Adds a settled request; the task completes when it is durable.</summary>
    public Task Add(LedgerReservation reservation)
    {
        lock (_gate)
        {
            _waiting++;
            Task durable = _open.Add(reservation);
            _added?.TrySetResult();
            Kick();
            return durable;
        }
    }

    /// <summary>Adds a transaction; its own task tells what became of it.</summary>
    public Task<PostingOutcome> Add(Posting posting)
    {
        lock (_gate)
        {
            _open.Postings.Add(posting);
            Kick();
        }

        return posting.Done.Task;
    }

    /// <summary>
    /// Takes in what other processes wrote, up to a version. While a group is being written, the version may be that group's own: what to do is then decided behind it, and nobody
    /// waits, since whoever looks for changes would hold a thread for each group.
    /// </summary>
    public Task Refresh(long version)
    {
        lock (_gate)
        {
            _open.RefreshTo = Math.Max(_open.RefreshTo, version);
            if (_running)
                return Task.CompletedTask;
            Task read = _open.Done.Task;
            Kick();
            return read;
        }
    }

    /// <summary>Completes when everything added before is stored or has failed.</summary>
    public async Task DrainAsync()
    {
        while (true)
        {
            Task loop;
            lock (_gate)
            {
                if (!_running)
                    return;
                loop = _loop;
            }

            await loop;

            // The loop ends on the store's writer. Whoever drains closes the store next, and would wait there for the thread it is on.
            await Task.Yield();
        }
    }

    // Begins on the caller's thread: it comes as far as the store's queue. The open group is another one afterwards.
    private void Kick()
    {
        if (_running)
            return;
        _running = true;
        _loop = LoopAsync();
    }

    private async Task LoopAsync()
    {
        while (true)
        {
            LedgerGroup group;
            lock (_gate)
            {
                if (_open.IsEmpty)
                {
                    _running = false;
                    return;
                }

                group = _open;
                _open = new LedgerGroup();
            }

            if (group.IsRefreshOnly && group.RefreshTo <= Volatile.Read(ref writer.Seen))
            {
                group.Done.TrySetResult();
                continue;
            }

            try
            {
                await StoreAsync(group);
            }
            catch (Exception fault)
            {
                // Of the journal's file: whoever waits for the group has heard of it, and the groups behind it shall not wait for ever.
                failed(fault);
            }

            lock (_gate)
                _waiting -= group.Charges.Count;
        }
    }

    private async Task StoreAsync(LedgerGroup group)
    {
        Task written = WriteAsync(group);
        try
        {
            if (journal is not null)
                await JournalUntilAsync(written, group);
        }
        finally
        {
            await written;
        }

        if (group.Journaled > 0)
            journal!.Settled(group.Journaled);
    }

    /// <summary>Makes durable by the journal what the database has not taken yet, until it has taken the group.</summary>
    private async Task JournalUntilAsync(Task written, LedgerGroup group)
    {
        // Until here it may be the thread of a request, which writes no file.
        if (isAway())
            await Task.Yield();
        else if (!written.IsCompleted)
            await written.WaitAsync(journalAfter).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (!written.IsCompleted)
        {
            Task added;
            lock (_gate)
                added = (_added = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            Journal(group);
            Journal(_open);

            // Also after a while: a disk that was full may have room.
            await ((Task)Task.WhenAny(written, added)).WaitAsync(journalAfter).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        lock (_gate)
            _added = null;
    }

    private void Journal(LedgerGroup group)
    {
        List<LedgerRound> rounds;
        lock (_gate)
            rounds = group.CloseRounds();
        foreach (LedgerRound round in rounds)
        {
            lock (_deciding)
            {
                if (round.Durable.Task.IsCompleted)
                    continue;   // stored or failed meanwhile
                if (!journal!.TryKeep(round.Charges))
                    return;
                round.IsJournaled = true;
                group.Journaled += round.Charges.Count;
                round.Durable.TrySetResult();
            }
        }
    }

    private async Task WriteAsync(LedgerGroup group)
    {
        try
        {
            await queue.WriteAsync(session => writer.Write(session, group), patient: true, inline: true);
            writer.Committed(group);
            foreach (Posting posting in group.Postings)
                posting.Done.TrySetResult(posting.Outcome);
            group.Succeed();
        }
        catch (Exception fault)
        {
            // Not trouble that passes (the queue waits that out): something in the group is bad. Postings go one by one
            // and requests by themselves, round by round, so that what is bad fails alone.
            List<LedgerGroup> parts = fault is ObjectDisposedException ? [] : group.Parts();
            if (parts.Count > 1)
            {
                foreach (LedgerGroup part in parts)
                    await WriteAsync(part);
                group.Done.TrySetResult();
                return;
            }

            lock (_deciding)
            {
                try
                {
                    int journaled = group.Rounds.Sum(static round => round.IsJournaled ? round.Charges.Count : 0);
                    if (journaled > 0)
                        journal!.Retain(journaled);
                    writer.Failed(group);
                }
                finally
                {
                    group.Fail(fault);
                }
            }
        }
    }
}

/// <summary>Settled requests that become durable together, by the journal or with their group.</summary>
internal sealed class LedgerRound
{
    public List<LedgerReservation> Charges { get; } = [];

    public TaskCompletionSource Durable { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether the journal has them.</summary>
    public bool IsJournaled { get; set; }
}

/// <summary>What is committed together.</summary>
internal sealed class LedgerGroup
{
    private LedgerRound? _round;

    public List<LedgerReservation> Charges { get; } = [];

    /// <summary>The same requests, by when they become durable.</summary>
    public List<LedgerRound> Rounds { get; } = [];

    public List<Posting> Postings { get; } = [];

    /// <summary>Version of the topic to be read up to; 0 for none.</summary>
    public long RefreshTo { get; set; }

    public bool IsRefreshOnly => Charges.Count == 0 && Postings.Count == 0;

    /// <summary>How many of the requests the journal has.</summary>
    public int Journaled { get; set; }

    /// <summary>Whether it was tried before, so that the store may have it already.</summary>
    public bool WasTried { get; set; }

    /// <summary>Completes when the group was dealt with, for whoever waits for it as a whole.</summary>
    public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsEmpty => IsRefreshOnly && RefreshTo == 0;

    /// <summary>What the try that was committed found out.</summary>
    public LedgerFindings Findings { get; set; } = new();

    /// <summary>Adds a request; gives what completes when it is durable.</summary>
    public Task Add(LedgerReservation reservation)
    {
        Charges.Add(reservation);
        if (_round is null)
            Rounds.Add(_round = new LedgerRound());
        _round.Charges.Add(reservation);
        return _round.Durable.Task;
    }

    /// <summary>The rounds that the journal does not have; what is added from now on makes a new one.</summary>
    public List<LedgerRound> CloseRounds()
    {
        _round = null;
        return Rounds.FindAll(static round => !round.IsJournaled);
    }

    /// <summary>The group in pieces that fail alone.</summary>
    public List<LedgerGroup> Parts()
    {
        var parts = new List<LedgerGroup>();
        foreach (Posting posting in Postings)
        {
            var part = new LedgerGroup();
            part.Postings.Add(posting);
            parts.Add(part);
        }

        foreach (LedgerRound round in Rounds)
        {
            var part = new LedgerGroup();
            part.Charges.AddRange(round.Charges);
            part.Rounds.Add(round);
            parts.Add(part);
        }

        return parts;
    }

    /// <summary>Everything in it is stored.</summary>
    public void Succeed()
    {
        foreach (LedgerRound round in Rounds)
            round.Durable.TrySetResult();
        Done.TrySetResult();
    }

    /// <summary>Nothing in it could be stored. Those who went on from the journal have been told otherwise: it is settled from there.</summary>
    public void Fail(Exception fault)
    {
        foreach (LedgerRound round in Rounds)
        {
            if (round.Durable.TrySetException(fault))
                _ = round.Durable.Task.Exception;   // not everybody waits for it
        }

        Done.TrySetException(fault);
        _ = Done.Task.Exception;
        foreach (Posting posting in Postings)
            posting.Done.TrySetException(fault);
    }
}
