namespace Glimmer.Platform.Catalog;

/// <summary>The catalogue in force. It can be replaced while requests run; each request keeps the one it began with.</summary>
public sealed class CatalogueSource(Catalogue catalogue)
{
    private volatile Catalogue _current = catalogue;

    /// <summary>The catalogue in force.</summary>
    public Catalogue Current
    {
        get => _current;
        set => _current = value;
    }
}
