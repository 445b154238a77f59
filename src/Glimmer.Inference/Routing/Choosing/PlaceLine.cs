namespace Glimmer.Inference.Routing.Choosing;

/// <summary>
/// Requests of one model that wait for a place because all backends that are well are full. First come, first served; those that have been at a
/// backend which failed stand before all others, as they have waited already. While nobody waits, it costs one read.
/// </summary>
internal sealed class PlaceLine(TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _again = [];
    private readonly LinkedList<Waiter> _waiters = [];
    private volatile int _count;

    /// <summary>How many wait.</summary>
    public int Count => _count;

    /// <summary>Waits for a place; the choice is empty when none came in time, or when too many wait already.</summary>
    /// <param name="set">Gives the backends to choose from, whenever it is asked.</param>
    /// <param name="query">What the choice is made by.</param>
    /// <param name="length">Most that wait.</param>
    /// <param name="patience">How long; nothing or less for not at all.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async ValueTask<Choice> WaitAsync(Func<MemberSet> set, ChoiceQuery query, int length, TimeSpan patience, CancellationToken cancel)
    {
        if (patience <= TimeSpan.Zero)
            return default;
        var waiter = new Waiter(query);
        LinkedListNode<Waiter> node;
        lock (_lock)
        {
            if (_count >= length)
                return default;
            node = (query.Tried.Count > 0 ? _again : _waiters).AddLast(waiter);
            _count++;
        }

        // A place may have become free since the look that found none.
        Serve(set);
        try
        {
            return await waiter.Task.WaitAsync(patience, time, cancel);
        }
        catch (TimeoutException) when (Withdraw(node))
        {
            return default;
        }
        catch (TimeoutException)
        {
            return await waiter.Task;
        }
        catch (OperationCanceledException)
        {
            // The place that came at the same moment goes back.
            if (!Withdraw(node) && (await waiter.Task) is { Entry: { } entry } late)
            {
                if (late.Trial)
                    entry.Member.Circuit.Abandon();
                entry.Member.Leave();
            }

            throw;
        }
    }

    /// <summary>Gives free places to those who wait.</summary>
    public void Serve(Func<MemberSet> set)
    {
        if (_count == 0)
            return;
        lock (_lock)
        {
            ServeAgain(set);
            LinkedListNode<Waiter>? node = _waiters.First;
            while (node is not null)
            {
                MemberSet now = set();
                Choice choice = now.Choose(node.Value.Query);
                if (choice.Entry is null && now.Entries.Count > 0)
                {
                    // Who needs a backend that takes prompts as they stand holds up nobody whom others can serve.
                    if (!node.Value.Query.Raw)
                        return;
                    node = node.Next;
                    continue;
                }

                // Where no backend is left, there is nothing to wait for.
                LinkedListNode<Waiter> served = node;
                node = node.Next;
                Answer(served, choice);
            }
        }
    }

    /// <summary>Serves those that wait for another backend than those that failed them: each for others, so that none holds up the next.</summary>
    private void ServeAgain(Func<MemberSet> set)
    {
        LinkedListNode<Waiter>? node = _again.First;
        while (node is not null)
        {
            LinkedListNode<Waiter> waiting = node;
            node = node.Next;
            MemberSet now = set();
            Choice choice = now.Choose(waiting.Value.Query);

            // When none is well that it has not been at, it hears at once how the last one failed.
            if (choice.Entry is not null || !now.MayServe(waiting.Value.Query))
                Answer(waiting, choice);
        }
    }

    private void Answer(LinkedListNode<Waiter> node, Choice choice)
    {
        node.List!.Remove(node);
        _count--;
        node.Value.SetResult(choice);
    }

    private bool Withdraw(LinkedListNode<Waiter> node)
    {
        lock (_lock)
        {
            if (node.List is null)
                return false;
            node.List.Remove(node);
            _count--;
            return true;
        }
    }

    private sealed class Waiter(ChoiceQuery query) : TaskCompletionSource<Choice>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public ChoiceQuery Query => query;
    }
}
