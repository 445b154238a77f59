namespace Glimmer.Cli.Hosting;

/// <summary>Finds the model that comes with Glimmer: beside the program, or in the checkout that it was built from.</summary>
internal static class BundledModel
{
    private const string RelativePath = "models/glimmer-tiny/glimmer-tiny-q8_0.gguf";

    /// <summary>Its path; null when this build came without it.</summary>
    public static string? Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string path = Path.Combine(folder.FullName, RelativePath);
            if (File.Exists(path))
                return path;
        }

        return null;
    }
}
