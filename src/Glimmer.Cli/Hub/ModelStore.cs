using System.Text.Json;
using System.Text.Json.Serialization;

namespace Glimmer.Cli.Hub;

/// <summary>What was pulled into a folder: kept beside the files so that they can be verified and removed.</summary>
/// <param name="Reference">What the user asked for.</param>
/// <param name="Hub">Where it came from.</param>
/// <param name="Files">Its files.</param>
internal sealed record ModelManifest(string Reference, string Hub, IReadOnlyList<HubFile> Files)
{
    /// <summary>Bytes of all files.</summary>
    public long Size => Files.Sum(file => file.Size);
}

[JsonSerializable(typeof(ModelManifest))]
[JsonSourceGenerationOptions(WriteIndented = true, UseStringEnumConverter = true)]
internal sealed partial class ModelManifestJson : JsonSerializerContext;

/// <summary>The folder that pulled models live in: <c>owner/name[/quantisation]</c> below its root.</summary>
/// <param name="root">Root folder; need not exist yet.</param>
internal sealed class ModelStore(string root)
{
    /// <summary>Name of the manifest in a model's folder.</summary>
    public const string ManifestName = "glimmer-model.json";

    /// <summary>Root folder.</summary>
    public string Root { get; } = Path.GetFullPath(root);

    /// <summary>The user's store: <c>GLIMMER_MODELS</c>, or <c>glimmer/models</c> in the folder for application data.</summary>
    public static ModelStore ForUser() => new(
        Environment.GetEnvironmentVariable("GLIMMER_MODELS") is { Length: > 0 } set
            ? set
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "glimmer", "models"));

    /// <summary>Where a model goes.</summary>
    public string FolderOf(ModelReference reference)
    {
        string folder = Path.Combine(Root, reference.Owner, reference.Name);
        if (reference.Quantisation is not null)
            folder = Path.Combine(folder, reference.Quantisation.ToUpperInvariant());
        return reference.Revision is null ? folder : Path.Combine(folder, "@" + reference.Revision.Replace('/', '_'));
    }

    /// <summary>All models with a manifest, in name order. A manifest that cannot be read is reported, not hidden.</summary>
    public IEnumerable<(string Folder, ModelManifest? Manifest, string? Fault)> List()
    {
        if (!Directory.Exists(Root))
            yield break;
        foreach (string file in Directory.EnumerateFiles(Root, ManifestName, new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 6 }).Order(StringComparer.Ordinal))
        {
            string folder = Path.GetDirectoryName(file)!;
            (ModelManifest? manifest, string? fault) = Read(folder);
            yield return (folder, manifest, fault);
        }
    }

    /// <summary>Reads the manifest of a folder.</summary>
    public static (ModelManifest? Manifest, string? Fault) Read(string folder)
    {
        string path = Path.Combine(folder, ManifestName);
        try
        {
            ModelManifest? manifest = JsonSerializer.Deserialize(File.ReadAllBytes(path), ModelManifestJson.Default.ModelManifest);
            return manifest is { Files: not null } && manifest.Files.All(file => HubFile.IsSafePath(file.Path))
                ? (manifest, null)
                : (null, $"{path} does not describe a model");
        }
        catch (Exception failure) when (failure is IOException or JsonException or UnauthorizedAccessException)
        {
            return (null, $"{path}: {failure.Message}");
        }
    }

    /// <summary>Writes the manifest of a folder, whole or not at all.</summary>
    public static void Write(string folder, ModelManifest manifest)
    {
        string path = Path.Combine(folder, ManifestName);
        string draft = path + ".new";
        File.WriteAllBytes(draft, JsonSerializer.SerializeToUtf8Bytes(manifest, ModelManifestJson.Default.ModelManifest));
        File.Move(draft, path, overwrite: true);
    }
}
