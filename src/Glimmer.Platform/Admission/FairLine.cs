using Lease = Glimmer.Platform.Admission.FairAdmission.Lease;

namespace Glimmer.Platform.Admission;

/// <summary>
/// Who waits, in deficit round robin over accounts and, within each, over keys. An account whose own limits hold all its waiting requests
/// is parked until one of its places frees, so that a place costs no look at accounts that cannot use it. Its owner locks.
/// </summary>
internal sealed class FairLine(Func<Lease, PlaceKind> tryTake)
{
    /// <summary>Tokens of a turn: about one usual request.</summary>
    private const int Quantum = 4096;

    private const int MaxCost = Quantum * 16;
    private readonly LinkedList<AccountPlaces> _accounts = [];
    private readonly LinkedList<AccountPlaces> _all = [];

    public int Count { get; private set; }

    /// <summary>Adds a request; returns the place it can expect with everyone taking turns, 1 for the next.</summary>
    public int Add(Lease lease)
    {
        AccountPlaces account = lease.Account;
        lease.BeginWaiting();
        if (lease.Key.Line.Count == 0)
            account.Line.Keys.AddLast(lease.Key);
        lease.Node = lease.Key.Line.AddLast(lease);
        if (account.Line.Count++ == 0)
            _all.AddLast(account);
        Count++;
        Wake(account);

        int own = account.Line.Count, position = 0;
        foreach (AccountPlaces other in _all)
            position += Math.Min(own, other.Line.Count);
        return position;
    }

    /// <summary>Takes out a request whose caller left; false when it does not wait any more.</summary>
    public bool Remove(Lease lease)
    {
        if (lease.Node is not { } node)
            return false;
        lease.Node = null;
        lease.Key.Line.Remove(node);
        AccountPlaces account = lease.Account;
        if (lease.Key.Line.Count == 0)
        {
            account.Line.Keys.Remove(lease.Key);
            lease.Key.Turn.Clear();
        }

        Count--;
        if (--account.Line.Count == 0)
        {
            _all.Remove(account);
            Park(account);
        }

        return true;
    }

    /// <summary>A place of an account has freed: it takes part again.</summary>
    public void Wake(AccountPlaces account)
    {
        if (account.Line is { Count: > 0, Node: null })
            account.Line.Node = _accounts.AddLast(account);
    }

    /// <summary>Gives places to whoever's turn it is, as long as there are any.</summary>
    public void Pump()
    {
        while (_accounts.First is { Value: var account } node)
        {
            account.Turn.Begin(Quantum);
            switch (Serve(account, out Lease? served))
            {
                case Outcome.Served:
                    Remove(served!);
                    served!.Grant(true);
                    break;
                case Outcome.TooDear:
                    account.Turn.End();
                    _accounts.Remove(node);
                    _accounts.AddLast(node);
                    break;
                case Outcome.Held:
                    Park(account);
                    break;
                default:
                    return;
            }
        }
    }

    private void Park(AccountPlaces account)
    {
        account.Turn.Clear();
        if (account.Line.Node is not { } node)
            return;
        _accounts.Remove(node);
        account.Line.Node = null;
    }

    /// <summary>Tries to place one request of an account: of the key whose turn it is, the first whose model has a place.</summary>
    private Outcome Serve(AccountPlaces account, out Lease? served)
    {
        served = null;
        LinkedList<KeyPlaces> keys = account.Line.Keys;
        for (int held = 0; held < keys.Count;)
        {
            KeyPlaces key = keys.First!.Value;
            key.Turn.Begin(Quantum);
            Outcome outcome = ServeKey(account, key, out served);
            if (outcome is Outcome.Served or Outcome.PlatformFull or Outcome.TooDear)
                return outcome;
            held = outcome == Outcome.Held ? held + 1 : 0;
            key.Turn.End();
            if (outcome == Outcome.Held)
                key.Turn.Clear();
            keys.RemoveFirst();
            keys.AddLast(key);
        }

        return Outcome.Held;
    }

    private Outcome ServeKey(AccountPlaces account, KeyPlaces key, out Lease? served)
    {
        served = null;
        foreach (Lease lease in key.Line)
        {
            int cost = lease.Request.Cost == 0 ? Quantum : Math.Clamp(lease.Request.Cost, 1, MaxCost);
            PlaceKind missing = tryTake(lease);
            lease.Missing = missing;
            switch (missing)
            {
                case PlaceKind.Platform:
                    return Outcome.PlatformFull;
                case PlaceKind.Key:
                    return Outcome.Held;
                case PlaceKind.None when cost > key.Turn.Deficit:
                    lease.Undo();
                    return Outcome.NextKey;
                case PlaceKind.None when cost > account.Turn.Deficit:
                    lease.Undo();
                    return Outcome.TooDear;
                case PlaceKind.None:
                    key.Turn.Deficit -= cost;
                    account.Turn.Deficit -= cost;
                    served = lease;
                    return Outcome.Served;
                default:
                    break;
            }
        }

        return Outcome.Held;
    }

    private enum Outcome
    {
        Served,
        TooDear,
        NextKey,
        Held,
        PlatformFull,
    }
}
