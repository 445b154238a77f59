using System.IO.Enumeration;
using System.Reflection;

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

    private Catalogue(CatalogDraft draft)
    {
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

    /// <summary>All codes, in the order of the files.</summary>
    public IReadOnlyList<CatalogModel> Models { get; }

    /// <summary>Reads the built-in catalogue and, when it exists, the file that changes it.</summary>
    /// <param name="overridePath">Path of the file; null for none.</param>
    /// <exception cref="CatalogException">A file is wrong; the message names file and line.</exception>
    public static Catalogue Load(string? overridePath = null)
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
                new CatalogFile(overridePath).ReadInto(draft, YamlTree.Read(text, overridePath));
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                throw new CatalogException($"The catalogue {overridePath} cannot be read: {fault.Message}", fault);
            }
        }

        return new Catalogue(draft);
    }

    /// <summary>Parses one text alone: for tests and tools that check a file.</summary>
    /// <exception cref="CatalogException">The text is wrong.</exception>
    public static Catalogue Parse(TextReader text, string name)
    {
        var draft = new CatalogDraft();
        new CatalogFile(name).ReadInto(draft, YamlTree.Read(text, name));
        return new Catalogue(draft);
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
