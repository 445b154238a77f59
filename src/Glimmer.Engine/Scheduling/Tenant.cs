namespace Glimmer.Engine.Scheduling;

/// <summary>One tenant's requests and its credit in the round robin.</summary>
internal sealed class Tenant(string name)
{
    public string Name { get; } = name;

    /// <summary>Requests without a place, oldest first.</summary>
    public LinkedList<Sequence> Waiting { get; } = new();

    /// <summary>Sequences in the middle of their prompt, in turn.</summary>
    public List<Sequence> Prefilling { get; } = [];

    /// <summary>Whose turn it is among <see cref="Prefilling"/>.</summary>
    public int Turn { get; set; }

    /// <summary>Sequences that hold a place.</summary>
    public int Running { get; set; }

    /// <summary>Tokens it may still spend in this round; below 0 it waits for others to catch up.</summary>
    public long Deficit { get; set; }
}

/// <summary>
/// Decides whose request gets the next free place: deficit round robin (Shreedhar, Varghese, 1995) over tenants, in
/// tokens. A place costs its prompt and an expected answer when it is given, and every token beyond that when made.
/// </summary>
internal sealed class TenantRing
{
    /// <summary>Tokens of an answer that are paid for when a place is given.</summary>
    public const int PrepaidAnswer = 64;

    private const int Quantum = 128;
    private const int LongestDebt = 64 * Quantum;
    private readonly Dictionary<string, Tenant> _tenants = new(StringComparer.Ordinal);
    private readonly List<Tenant> _ring = [];
    private int _turn;

    /// <summary>Requests waiting, over all tenants.</summary>
    public int Waiting { get; private set; }

    /// <summary>Puts a new request at the end of its tenant's line.</summary>
    public void Enqueue(Sequence sequence)
    {
        if (!_tenants.TryGetValue(sequence.Request.Tenant, out Tenant? tenant))
            _tenants.Add(sequence.Request.Tenant, tenant = new Tenant(sequence.Request.Tenant));
        sequence.Tenant = tenant;
        if (tenant.Waiting.Count == 0)
            _ring.Add(tenant);
        tenant.Waiting.AddLast(sequence);
        Waiting++;
    }

    /// <summary>The request that is next in turn; null when none waits. It stays in line until <see cref="Take"/>.</summary>
    public Sequence? Peek()
    {
        if (_ring.Count == 0)
            return null;
        // With nobody to share with there are no debts.
        if (_ring.Count == 1)
            _ring[0].Deficit = Math.Max(_ring[0].Deficit, 1);
        if (_turn >= _ring.Count)
            _turn = 0;
        while (_ring[_turn].Deficit <= 0)
        {
            _turn = (_turn + 1) % _ring.Count;
            Tenant tenant = _ring[_turn];
            tenant.Deficit = Math.Min(tenant.Deficit + Quantum, Quantum);
        }

        return _ring[_turn].Waiting.First!.Value;
    }

    /// <summary>Takes the request that <see cref="Peek"/> gave out of line and charges its place.</summary>
    public void Take(Sequence sequence)
    {
        Tenant tenant = sequence.Tenant!;
        Charge(tenant, sequence.PromptLength + Math.Min(sequence.Request.MaxTokens, PrepaidAnswer));
        Remove(tenant, tenant.Waiting.First!);
    }

    /// <summary>Charges a tenant for tokens.</summary>
    public static void Charge(Tenant tenant, int tokens) => tenant.Deficit = Math.Max(tenant.Deficit - tokens, -LongestDebt);

    /// <summary>Takes every waiting request out of line that <paramref name="leaves"/> says.</summary>
    public void RemoveWhere(Func<Sequence, bool> leaves, List<Sequence> removed)
    {
        for (int i = _ring.Count - 1; i >= 0; i--)
        {
            Tenant tenant = _ring[i];
            for (LinkedListNode<Sequence>? node = tenant.Waiting.First; node is not null;)
            {
                LinkedListNode<Sequence>? next = node.Next;
                if (leaves(node.Value))
                {
                    removed.Add(node.Value);
                    Remove(tenant, node);
                    Forget(tenant);
                }

                node = next;
            }
        }
    }

    /// <summary>Drops a tenant that neither waits nor runs: its credit starts anew.</summary>
    public void Forget(Tenant tenant)
    {
        if (tenant.Running == 0 && tenant.Waiting.Count == 0)
            _tenants.Remove(tenant.Name);
    }

    private void Remove(Tenant tenant, LinkedListNode<Sequence> node)
    {
        tenant.Waiting.Remove(node);
        Waiting--;
        if (tenant.Waiting.Count > 0)
            return;
        int at = _ring.IndexOf(tenant);
        _ring.RemoveAt(at);
        if (at < _turn)
            _turn--;
    }
}
