namespace Glimmer.Platform.Nodes;

/// <summary>What a node says of one limit, and what it makes of the answer. Under the trader's lock.</summary>
internal sealed class SliceBargain(SliceClock clock, SliceAgenda agenda, SliceIdleness idleness)
{
    /// <summary>What is to be said of a limit now: what it keeps, what callers lack and what would be liked.</summary>
    /// <param name="slice">The limit.</param>
    /// <param name="sentAt">Timestamp of the message.</param>
    public SliceAsk Ask(Slice slice, long sentAt)
    {
        slice.Holding -= slice.TakeConsumed();
        if (slice.Owed > 0)
        {
            // Spare units were taken away in advance; those that are above nothing again are really free.
            long free = Math.Max(0, slice.Owed - Math.Max(0, -slice.Spare));
            slice.Owed -= free;
            slice.Holding -= free;
        }

        if (slice.IsPressed && slice.Waiting?.Invoke() is null or 0)
            slice.Holding -= slice.Seize(long.MaxValue);
        long need = slice.TakeMissing(), least = slice.TakeLeast();
        if (need > 0)
            slice.Piece = slice.Terms.IsMoney ? need : Math.Clamp(need, 1, Math.Max(1, slice.Limit));
        if (slice.IsLow)
            slice.Boost = Math.Clamp(sentAt - slice.LowAt < clock.Beat ? slice.Boost * 2 : slice.Boost / 2, 1, 64);
        if (slice.IsLow)
            slice.LowAt = sentAt;
        if (slice.Waiting is { } waiting)
            need = Math.Max(Math.Min(need, 1), waiting());
        long spare = slice.Spare;
        need = Math.Max(0, need - Math.Max(0, spare));
        if (spare < 0 && slice.Owed == 0)
            need -= spare;
        slice.Asked = need;
        slice.AskedLeast = least;
        long headroom = SliceSizes.Headroom(slice), want = slice.IsLow ? need + Math.Max(0, headroom - Math.Max(0, spare)) : need;
        slice.IsLow = false;
        slice.Told = slice.Holding;
        return new SliceAsk(slice.Terms with { Limit = slice.Limit }, slice.Holding, need, want) { Least = least > 0 ? Math.Max(0, least - spare) : 0, Headroom = headroom, Lacked = slice.LackedUntil > sentAt ? slice.Lacked : 0 };
    }

    /// <summary>Takes the answer about a limit.</summary>
    /// <param name="slice">The limit.</param>
    /// <param name="grant">The answer.</param>
    /// <param name="waiting">Whether a node that owns everything has not yet noticed this one.</param>
    /// <param name="sentAt">Timestamp of the message.</param>
    /// <returns>Whether it lacks some still.</returns>
    public bool Take(Slice slice, in SliceGrant grant, bool waiting, long sentAt)
    {
        long now = clock.Now;
        bool lacks = grant.Units < slice.Asked;
        slice.HeldByAll = grant.HeldByAll;
        Volatile.Write(ref slice.Free, waiting ? 0 : Math.Max(0, grant.Limit - grant.HeldByAll));
        slice.IsPressed = grant.Lacking > 0;
        if (slice.Terms.Kind == SliceKind.Rate)
        {
            slice.Seize(long.MaxValue);
            Volatile.Write(ref slice.GoodUntil, sentAt + clock.TokenLife);
        }
        else
        {
            slice.Holding += grant.Units;
            slice.Told += grant.Units;
        }

        if (grant.Units > 0)
            slice.Give(grant.Units);
        else if (slice.IsPressed && slice.Terms.Kind != SliceKind.Rate)
            Yield(slice, grant.Lacking, grant.Share);
        slice.Looks = 0;
        slice.LeastSpare = long.MaxValue;
        if (lacks)
        {
            if (slice.Terms.IsMoney)
            {
                slice.Lacked = slice.Asked;
                slice.LackedUntil = now + clock.RecallMemory;
                if (grant.Others is { } others && !waiting)
                    slice.Recall.Note(others, grant.Limit);
            }

            slice.Pause = waiting ? clock.DryPause : Math.Clamp(slice.Pause * 2, clock.DryPause, slice.Terms.IsMoney ? clock.MoneyPause : clock.Beat);
            Volatile.Write(ref slice.Lacks, slice.Lacks + 1);
            Volatile.Write(ref slice.DryUntil, now + slice.Pause);
            if (!waiting && slice.DrySince == long.MaxValue)
                Volatile.Write(ref slice.DrySince, now);

            // Asked once more in any case, so that the store learns when nobody lacks it any longer.
            agenda.Add(slice);
            if (waiting)
                slice.Miss(slice.Asked, slice.AskedLeast);
        }
        else
        {
            if (slice.Terms.IsMoney)
                Rest(slice, now);
            slice.Pause = 0;
            Volatile.Write(ref slice.Lacks, 0);
            Volatile.Write(ref slice.DryUntil, 0);
            Volatile.Write(ref slice.DrySince, long.MaxValue);
        }

        if (slice.Holding != 0 || lacks)
            idleness.Watch(slice);

        return lacks;
    }

    // While others are held to giving back, what was found out stays true, and the next caller may come after a pause.
    private void Rest(Slice slice, long now)
    {
        if (slice.Asked == 0 && slice.LackedUntil > now)
        {
            agenda.Add(slice);
            return;
        }

        slice.Lacked = 0;
        slice.LackedUntil = long.MinValue;
        slice.Recall.End();
    }

    /// <summary>Gives up idle units of a limit that others lack, and of places in use those beyond its share as they free.</summary>
    public void Yield(Slice slice, long lacking, long share)
    {
        slice.IsPressed = true;
        long given = slice.Seize(lacking);
        slice.Holding -= given;
        if (slice.Terms.Kind == SliceKind.Places)
        {
            long owe = Math.Min(lacking - given, slice.Holding - slice.Owed - share) - slice.Owed;
            if (owe > 0)
            {
                slice.Owed += owe;
                slice.Note(owe);
            }
        }

        if (given > 0 || slice.Owed > 0 || slice.HasConsumed)
            agenda.Add(slice);
    }
}
