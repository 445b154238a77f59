using System.IO.Enumeration;
using System.Reflection;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Catalog;

/// <summary>A pattern of codes and the model they mean in one dialect.</summary>
internal sealed record CatalogAlias(string Pattern, string Target, string? Dialect, string File, long Line);

/// <summary>What the files said so far.</summary>
internal sealed class CatalogDraft
{
    public Dictionary<string, CatalogModel> Families { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, CatalogModel> Models { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, (string File, long Line)> Lines { get; } = new(StringComparer.Ordinal);

    public List<CatalogAlias> Aliases { get; } = [];

    public List<PriceStep> Prices { get; } = [];

    public Dictionary<(Currency From, Currency To), decimal> Exchange { get; } = [];

    public Dictionary<ModelKind, KindLimits> Limits { get; } = [];
}

/// <summary>
/// Every model code of the platform with its limits and defaults. The catalogue that is built in can be changed and
/// extended by <c>catalog.yaml</c> in the data folder: a model named there starts from what is known of it, so that only
/// what differs need be written.
/// </summary>
public sealed class Catalogue
{
    /// <summary>Name of the file in the data folder that changes the built-in catalogue.</summary>
    public const string FileName = "catalog.yaml";

    private const int MaxFileBytes = 4 << 20;
    private readonly Dictionary<string, CatalogModel> _models;
    private readonly List<CatalogAlias> _aliases;

    private readonly Dictionary<ModelKind, KindLimits> _limits;
    private readonly PriceBook _prices;

    private Catalogue(CatalogDraft draft, long version)
    {
        Version = version;
        _limits = draft.Limits;
        _prices = new PriceBook(draft, version);
        foreach (CatalogModel model in draft.Models.Values)
        {
            if (model.Successor is { } next && EndOf(model, draft.Models) is null)
            {
                (string file, long line) = draft.Lines[model.Code];
                throw new CatalogException(file, line, $"the successor \"{next}\" of {model.Code} is not a model of the catalogue, or the successors go in a circle.");
            }
        }

        foreach (CatalogAlias alias in draft.Aliases)
        {
            if (!draft.Models.ContainsKey(alias.Target))
                throw new CatalogException(alias.File, alias.Line, $"the target \"{alias.Target}\" of the alias {alias.Pattern} is not a model of the catalogue.");
        }

        _models = new Dictionary<string, CatalogModel>(draft.Models, StringComparer.OrdinalIgnoreCase);
        _aliases = draft.Aliases;
        Models = [.. draft.Models.Values];
    }

    /// <summary>Number of the version that changes it; 0 for none.</summary>
    public long Version { get; }

    /// <summary>What a model costs in a currency; free when nothing prices it. Allocates only for models that nothing prices.</summary>
    /// <param name="model">The model.</param>
    /// <param name="currency">Billing currency.</param>
    /// <param name="input">Input tokens, which choose the step.</param>
    /// <param name="output">Output tokens, which choose the step.</param>
    public Price PriceOf(CatalogModel model, Currency currency, int input, int output)
    {
        ArgumentNullException.ThrowIfNull(model);
        return _prices.Find(model.Code, currency, input, output) ?? Price.Free(model.Code, Version, currency, model.Family);
    }

    /// <summary>The steps of a model's price in a currency, in the order in which they are tried; empty when nothing prices it.</summary>
    public IReadOnlyList<CataloguePrice> PricesOf(CatalogModel model, Currency currency)
    {
        ArgumentNullException.ThrowIfNull(model);
        return _prices.Steps(model.Code, currency);
    }

    /// <summary>Whether any price, 0 included, is known of a code.</summary>
    public bool IsPriced(string code) => _prices.Knows(code);

    /// <summary>Requests of a model that an account of a tier may have in flight; 0 for no limit. A tier above the highest counts as the highest.</summary>
    public int ConcurrencyOf(CatalogModel model, int tier) => OfTier(model, tier, static item => item.Concurrency, static kind => kind.Concurrency);

    /// <summary>Calls a minute and a day of a model that an account of a tier may make.</summary>
    public RateLimit RateOf(CatalogModel model, int tier)
    {
        int minute = OfTier(model, tier, static item => item.PerMinute, static kind => kind.PerMinute);
        return new RateLimit(minute, Math.Max(1, minute / 6), OfTier(model, tier, static item => item.PerDay, static kind => kind.PerDay));
    }

    private int OfTier(CatalogModel model, int tier, Func<CatalogModel, IReadOnlyList<int>> own, Func<KindLimits, IReadOnlyList<int>> kind)
    {
        ArgumentNullException.ThrowIfNull(model);
        IReadOnlyList<int> tiers = own(model);
        if (tiers.Count == 0 && _limits.TryGetValue(model.Kind, out KindLimits? limits))
            tiers = kind(limits);
        return tiers.Count == 0 ? 0 : tiers[Math.Clamp(tier, 0, tiers.Count - 1)];
    }

    /// <summary>All codes, in the order of the files.</summary>
    public IReadOnlyList<CatalogModel> Models { get; }

    /// <summary>Reads the built-in catalogue and, when it exists, the file that changes it.</summary>
    /// <param name="overridePath">Path of the file; null for none.</param>
    /// <exception cref="CatalogException">A file is wrong; the message names file and line.</exception>
    public static Catalogue Load(string? overridePath = null) => Load(overridePath, null, 0);

    /// <summary>Reads the built-in catalogue, the file that changes it, and the text of a version that changes both.</summary>
    /// <param name="overridePath">Path of the file; null for none.</param>
    /// <param name="version">Text of the version; null for none.</param>
    /// <param name="number">Number of the version, which ledger rows name; 0 for none.</param>
    /// <exception cref="CatalogException">File or text is wrong; the message names line and field.</exception>
    public static Catalogue Load(string? overridePath, string? version, long number)
    {
        var draft = new CatalogDraft();
        const string BuiltIn = "built-in catalogue";
        using (StreamReader text = OpenBuiltIn())
            new CatalogFile(BuiltIn).ReadInto(draft, LineForm.Read(text, BuiltIn));
        if (overridePath is not null && File.Exists(overridePath))
        {
            try
            {
                if (new FileInfo(overridePath).Length > MaxFileBytes)
                    throw new CatalogException($"{overridePath} is larger than {MaxFileBytes >> 20} MiB; it is not a catalogue.");
                using var text = new StreamReader(overridePath);
                new CatalogFile(overridePath).ReadInto(draft, CatalogText.Read(text, overridePath));
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                throw new CatalogException($"The catalogue {overridePath} cannot be read: {fault.Message}", fault);
            }
        }

        if (version is not null)
        {
            string name = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"catalogue version {number}");
            using var text = new StringReader(version);
            new CatalogFile(name).ReadInto(draft, CatalogText.Read(text, name));
        }

        return new Catalogue(draft, number);
    }

    /// <summary>Parses one text alone: for tests and tools that check a file.</summary>
    /// <exception cref="CatalogException">The text is wrong.</exception>
    public static Catalogue Parse(TextReader text, string name)
    {
        var draft = new CatalogDraft();
        new CatalogFile(name).ReadInto(draft, CatalogText.Read(text, name));
        return new Catalogue(draft, 0);
    }

    internal static StreamReader OpenBuiltIn() =>
        new(Assembly.GetExecutingAssembly().GetManifestResourceStream("Glimmer.Platform.Catalog.catalog.yaml")!);

    /// <summary>The entry of a code, whatever its case, without following successors; null when unknown.</summary>
    public CatalogModel? Find(string code) => _models.GetValueOrDefault(code);

    /// <summary>
    /// The model that answers for a code: itself, its successor when it is retired or renamed, or the target of an alias
    /// of the dialect. Null when the code is unknown, was never served, or is retired without a successor.
    /// </summary>
    /// <param name="code">Code in any case.</param>
    /// <param name="dialect">Name of the dialect whose aliases count: <c>anthropic</c>; null for none.</param>
    public CatalogModel? Resolve(string code, string? dialect = null)
    {
        if (!_models.TryGetValue(code, out CatalogModel? model))
        {
            CatalogAlias? alias = dialect is null
                ? null
                : _aliases.Find(entry => (entry.Dialect is null || entry.Dialect == dialect) && FileSystemName.MatchesSimpleExpression(entry.Pattern, code));
            if (alias is null)
                return null;
            model = _models[alias.Target];
        }

        model = EndOf(model, _models);
        return model is { State: ModelState.Current or ModelState.Old } ? model : null;
    }

    private static CatalogModel? EndOf(CatalogModel model, IReadOnlyDictionary<string, CatalogModel> models)
    {
        for (int steps = 0; steps < 8; steps++)
        {
            if (model.Successor is not { } next)
                return model;
            if (!models.TryGetValue(next, out CatalogModel? following))
                return null;
            model = following;
        }

        return null;
    }
}
