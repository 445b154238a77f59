using Glimmer.Shared.Yaml;

namespace Glimmer.Platform.Catalog;

/// <summary>Texts of catalogue and plans as trees.</summary>
internal static class CatalogText
{
    /// <summary>Reads a text of one document; null when it is empty.</summary>
    /// <exception cref="CatalogException">It is not YAML of the plain kind.</exception>
    public static YamlTree? Read(TextReader text, string file)
    {
        try
        {
            return YamlTree.Read(text);
        }
        catch (YamlTreeException fault)
        {
            throw new CatalogException(file, fault.Line, fault.Message);
        }
    }
}
