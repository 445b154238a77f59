namespace Glimmer.Testing;

/// <summary>Finds the golden data and the bundled model from wherever a test runs.</summary>
public static class Fixtures
{
    /// <summary>The repository's root: the nearest folder above that holds the solution.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>Path of a file or folder under <c>tests/fixtures</c>; a missing one fails the test that asked.</summary>
    public static string Path(params string[] parts)
    {
        string path = System.IO.Path.Combine([RepositoryRoot, "tests", "fixtures", .. parts]);
        if (!File.Exists(path) && !Directory.Exists(path))
            throw new FileNotFoundException($"No fixture at {path}.");
        return path;
    }

    /// <summary>The bundled model's GGUF file.</summary>
    public static string BundledModel => System.IO.Path.Combine(RepositoryRoot, "models", "glimmer-tiny", "glimmer-tiny-q8_0.gguf");

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Glimmer.slnx")))
                return folder.FullName;
        }

        throw new DirectoryNotFoundException($"No Glimmer.slnx above {AppContext.BaseDirectory}.");
    }
}
