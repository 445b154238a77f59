using Glimmer.Platform.Plans;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Catalog;

/// <summary>What a version holds.</summary>
public enum VersionKind
{
    /// <summary>Changes of the catalogue, in the form of <c>catalog.yaml</c>.</summary>
    Catalogue,

    /// <summary>All plans, in the form of <c>plans.yaml</c>.</summary>
    Plans,
}

/// <summary>A stored version.</summary>
/// <param name="Id">Its number, which ledger rows name.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="Author">Who made it.</param>
/// <param name="Note">Why.</param>
/// <param name="Created">When.</param>
/// <param name="Active">Whether it is in force.</param>
public sealed record CatalogueVersion(long Id, VersionKind Kind, string Author, string Note, DateTimeOffset Created, bool Active);

/// <summary>
/// Versions of catalogue and plans in the store: added after a check, never changed, put in force one after the other; going back is
/// putting an earlier one in force. All nodes follow within a second; requests in flight keep the version they began with.
/// </summary>
public sealed class CatalogueVersions : IDisposable
{
    private const string Topic = "catalogue";
    private const int MaxText = 4 << 20;
    private readonly PlatformStore _store;
    private readonly CatalogueSource _catalogue;
    private readonly PlanGate _plans;
    private readonly string? _catalogueFile;
    private readonly string? _plansFile;
    private readonly Lock _refreshing = new();
    private readonly IDisposable _watch;
    private (long Catalogue, long Plans) _active;

    private CatalogueVersions(PlatformStore store, CatalogueSource catalogue, PlanGate plans, string? catalogueFile, string? plansFile)
    {
        _store = store;
        _catalogue = catalogue;
        _plans = plans;
        _catalogueFile = catalogueFile;
        _plansFile = plansFile;
        long version = store.Read(session => session.Version(Topic));
        Refresh();
        _watch = store.Changes.Watch(Topic, version, _ => Refresh());
    }

    /// <summary>Puts in force what the store says, and follows it.</summary>
    /// <param name="store">The store.</param>
    /// <param name="catalogue">Receives the catalogue.</param>
    /// <param name="plans">Receives the plans.</param>
    /// <param name="catalogueFile">The data folder's <c>catalog.yaml</c>, which versions change; null for none.</param>
    /// <param name="plansFile">The data folder's <c>plans.yaml</c>, which counts while no version of plans is in force; null for none.</param>
    /// <exception cref="CatalogException">The version in force cannot be read any more.</exception>
    public static CatalogueVersions Open(PlatformStore store, CatalogueSource catalogue, PlanGate plans, string? catalogueFile = null, string? plansFile = null) =>
        new(store, catalogue, plans, catalogueFile, plansFile);

    /// <summary>Checks and stores a version; it is not in force yet.</summary>
    /// <returns>Its number.</returns>
    /// <exception cref="CatalogException">It is wrong; the message names line and field.</exception>
    public Task<long> AddAsync(VersionKind kind, string text, string author, string note)
    {
        ArgumentNullException.ThrowIfNull(text);
        Check(kind, text, 0);
        return _store.WriteAsync(session => session.Scalar<long>(
            "INSERT INTO catalogue_versions (kind, text, author, note, created) VALUES (@kind, @text, @author, @note, @now) RETURNING id",
            new { kind = Word(kind), text, author, note, now = _store.Now }));
    }

    /// <summary>Puts a version in force; 0 for what program and data folder bring.</summary>
    /// <exception cref="CatalogException">There is no such version, or it does not fit the program any more.</exception>
    public async Task ActivateAsync(VersionKind kind, long id, string author)
    {
        Check(kind, id == 0 ? null : TextOf(kind, id), id);
        await _store.WriteAsync(session =>
        {
            session.NextVersion(Topic);
            return session.Execute(
                "INSERT INTO catalogue_activations (kind, catalogue_version, author, at) VALUES (@kind, @id, @author, @now)", new { kind = Word(kind), id, author, now = _store.Now });
        });
        Refresh();
    }

    /// <summary>Checks a text as <see cref="AddAsync"/> does and stores nothing.</summary>
    /// <exception cref="CatalogException">It is wrong; the message names line and field.</exception>
    public void Check(VersionKind kind, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Check(kind, text, 0);
    }

    /// <summary>The version in force; 0 for what program and data folder bring.</summary>
    public long InForce(VersionKind kind) => _store.Read(session => Last(session, Word(kind)));

    /// <summary>The version that was in force before the present one; null when none was ever put in force.</summary>
    public long? Former(VersionKind kind) => _store.Read(session =>
        session.List<long>("SELECT catalogue_version FROM catalogue_activations WHERE kind = @kind ORDER BY id DESC LIMIT 2", new { kind = Word(kind) }) switch
        {
            [] => (long?)null,
            [_] => 0,
            [_, long former, ..] => former,
        });

    /// <summary>All versions, the newest first.</summary>
    public IReadOnlyList<CatalogueVersion> List()
    {
        (long catalogue, long plans) = Active();
        return [.. _store.Read(session => session.List<Row>("SELECT id, kind, author, note, created FROM catalogue_versions ORDER BY id DESC"))
            .Select(row => new CatalogueVersion(
                row.Id,
                row.Kind == "plans" ? VersionKind.Plans : VersionKind.Catalogue,
                row.Author,
                row.Note,
                DateTimeOffset.FromUnixTimeMilliseconds(row.Created),
                row.Id == (row.Kind == "plans" ? plans : catalogue)))];
    }

    /// <summary>The text of a version.</summary>
    /// <exception cref="CatalogException">There is no such version.</exception>
    public string TextOf(VersionKind kind, long id) =>
        _store.Read(session => session.First<string>("SELECT text FROM catalogue_versions WHERE id = @id AND kind = @kind", new { id, kind = Word(kind) }))
        ?? throw new CatalogException($"There is no version {id} of the {Word(kind)}; list them to see which there are.");

    /// <inheritdoc/>
    public void Dispose() => _watch.Dispose();

    private void Refresh()
    {
        lock (_refreshing)
        {
            (long catalogue, long plans) = Active();
            if (catalogue != _active.Catalogue)
                _catalogue.Current = Catalogue.Load(_catalogueFile, catalogue == 0 ? null : TextOf(VersionKind.Catalogue, catalogue), catalogue);
            if (plans != _active.Plans)
                _plans.Rules = plans == 0 ? PlanRules.Load(_plansFile) : Rules(TextOf(VersionKind.Plans, plans), plans);
            _active = (catalogue, plans);
        }
    }

    private (long Catalogue, long Plans) Active() => _store.Read(session => (Last(session, "catalogue"), Last(session, "plans")), snapshot: true);

    private static long Last(StoreSession session, string kind) =>
        session.Scalar<long?>("SELECT catalogue_version FROM catalogue_activations WHERE kind = @kind ORDER BY id DESC LIMIT 1", new { kind }) ?? 0;

    private void Check(VersionKind kind, string? text, long id)
    {
        if (text is { Length: > MaxText })
            throw new CatalogException($"The text is longer than {MaxText >> 20} Mi characters; it is not a catalogue.");
        if (kind == VersionKind.Catalogue)
            Catalogue.Load(_catalogueFile, text, id);
        else if (text is not null)
            Rules(text, id);
    }

    private static PlanRules Rules(string text, long id)
    {
        string name = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"plans version {id}");
        using var reader = new StringReader(text);
        return PlanRules.Parse(reader, name, name);
    }

    private static string Word(VersionKind kind) => kind == VersionKind.Plans ? "plans" : "catalogue";

    private sealed record Row
    {
        public long Id { get; init; }

        public string Kind { get; init; } = "";

        public string Author { get; init; } = "";

        public string Note { get; init; } = "";

        public long Created { get; init; }
    }
}
