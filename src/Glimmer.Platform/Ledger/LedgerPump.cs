using Glimmer.Platform.Store;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// Gathers what is settled while the last group is being committed and gives it to the store as one write; one group at a
/// time, so that what the store says between two groups is known exactly.
/// </summary>
internal sealed class LedgerPump(WriteQueue queue, LedgerWriter writer)
{
    private readonly Lock _gate = new();
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
            _open.Charges.Add(reservation);
            Task durable = _open.Done.Task;
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
                await WriteAsync(group);
            }
            finally
            {
                lock (_gate)
                    _waiting -= group.Charges.Count;
            }
        }
    }

    private async Task WriteAsync(LedgerGroup group)
    {
        try
        {
            await queue.WriteAsync(session => writer.Write(session, group));
            writer.Committed(group);
            foreach (Posting posting in group.Postings)
                posting.Done.TrySetResult(posting.Outcome);
            group.Done.TrySetResult();
        }
        catch (Exception fault)
        {
            // Not trouble that passes (the queue waits that out): something in the group is bad. Postings go one by one
            // and requests by themselves, so that what is bad fails alone.
            if (fault is not ObjectDisposedException && group.Postings.Count + Math.Min(group.Charges.Count, 1) > 1)
            {
                foreach (Posting posting in group.Postings)
                    await WriteAsync(LedgerGroup.Of(posting));
                var charges = new LedgerGroup();
                charges.Charges.AddRange(group.Charges);
                await WriteAsync(charges);
                if (charges.Done.Task.Exception is { } failed)
                    group.Done.TrySetException(failed.InnerExceptions);
                else
                    group.Done.TrySetResult();
                return;
            }

            writer.Failed(group);
            group.Done.TrySetException(fault);
            _ = group.Done.Task.Exception;   // not everybody waits for it
            foreach (Posting posting in group.Postings)
                posting.Done.TrySetException(fault);
        }
    }
}

/// <summary>What is committed together.</summary>
internal sealed class LedgerGroup
{
    public List<LedgerReservation> Charges { get; } = [];

    public List<Posting> Postings { get; } = [];

    /// <summary>Version of the topic to be read up to; 0 for none.</summary>
    public long RefreshTo { get; set; }

    public bool IsRefreshOnly => Charges.Count == 0 && Postings.Count == 0;

    public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsEmpty => IsRefreshOnly && RefreshTo == 0;

    public static LedgerGroup Of(Posting posting)
    {
        var group = new LedgerGroup();
        group.Postings.Add(posting);
        return group;
    }

    /// <summary>What the try that was committed found out.</summary>
    public LedgerFindings Findings { get; set; } = new();
}
