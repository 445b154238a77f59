using Glimmer.Platform.Store;

namespace Glimmer.Platform.Ledger;

/// <summary>Numbers of names (<c>ledger_names</c>), remembered up to a bound. For the writer's thread only.</summary>
internal sealed class LedgerNames
{
    private const int Most = 200_000;
    private readonly Dictionary<string, long> _known = new(StringComparer.Ordinal);

    /// <summary>The number of a name, made when it is new.</summary>
    /// <param name="session">The open transaction.</param>
    /// <param name="name">The name.</param>
    /// <param name="found">Numbers learnt in this transaction, to be kept when it is committed.</param>
    public long Of(StoreSession session, string name, Dictionary<string, long> found)
    {
        if (_known.TryGetValue(name, out long id) || found.TryGetValue(name, out id))
            return id;
        id = Find(session, name)
            ?? (long)session.Statement("INSERT INTO ledger_names (name) VALUES (@p0) RETURNING id").With(name).Scalar()!;
        found.Add(name, id);
        return id;
    }

    /// <summary>Keeps what a committed transaction learnt.</summary>
    public void Keep(Dictionary<string, long> found)
    {
        if (_known.Count + found.Count > Most)
            _known.Clear();
        foreach ((string name, long id) in found)
            _known[name] = id;
    }

    /// <summary>The number of a name; null when no row uses it.</summary>
    public static long? Find(StoreSession session, string name) =>
        (long?)session.Statement("SELECT id FROM ledger_names WHERE name = @p0").With(name).Scalar();
}
