namespace Glimmer.Platform.Catalog;

/// <summary>The catalogue's text is not what it should be. The message names file and line.</summary>
public sealed class CatalogException : Exception
{
    /// <summary>At a line of a file.</summary>
    public CatalogException(string file, long line, string problem)
        : base($"{file}, line {line}: {problem}")
    {
    }

    /// <summary>About the whole file.</summary>
    public CatalogException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
