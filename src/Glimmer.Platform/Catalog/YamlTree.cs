using YamlDotNet.Core;
using YamlDotNet.Core.Events;

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

/// <summary>
/// A node of a YAML document with its line. Built straight from the parser's events, so that every error knows its line.
/// Anchors are refused: a small file cannot become a large tree.
/// </summary>
internal sealed class YamlTree
{
    private const int MaxDepth = 8;

    private YamlTree(long line) => Line = line;

    public long Line { get; }

    /// <summary>The text of a scalar; null for other nodes.</summary>
    public string? Scalar { get; private init; }

    /// <summary>The items of a sequence; null for other nodes.</summary>
    public List<YamlTree>? Items { get; private init; }

    /// <summary>The members of a mapping in order; null for other nodes.</summary>
    public List<(string Key, YamlTree Value)>? Members { get; private init; }

    public static YamlTree OfScalar(long line, string text) => new(line) { Scalar = text };

    public static YamlTree OfItems(long line, List<YamlTree> items) => new(line) { Items = items };

    public static YamlTree OfMembers(long line, List<(string Key, YamlTree Value)> members) => new(line) { Members = members };

    /// <summary>Reads a file of one document; null when it is empty.</summary>
    /// <exception cref="CatalogException">It is not YAML of the plain kind.</exception>
    public static YamlTree? Read(TextReader text, string file)
    {
        var parser = new Parser(text);
        try
        {
            parser.Consume<StreamStart>();
            if (parser.Accept<StreamEnd>(out _))
                return null;
            parser.Consume<DocumentStart>();
            YamlTree tree = ReadNode(parser, file, 0);
            parser.Consume<DocumentEnd>();
            if (!parser.Accept<StreamEnd>(out _))
                throw new CatalogException(file, parser.Current!.Start.Line, "there is a second document; keep one.");
            return tree;
        }
        catch (YamlException fault)
        {
            throw new CatalogException(file, fault.Start.Line, $"this is not YAML: {fault.Message}");
        }
        catch (Exception fault) when (fault is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            // The scanner's own way to say that a character stands where none may, a tab for instance.
            throw new CatalogException(file, parser.Current?.End.Line ?? 1, "this is not YAML, on this line or the next.");
        }
    }

    private static YamlTree ReadNode(Parser parser, string file, int depth)
    {
        long line = parser.Current?.Start.Line ?? 0;
        if (parser.Current is not NodeEvent { Anchor.IsEmpty: true } node)
            throw new CatalogException(file, line, "anchors (& and *) are not allowed here.");
        if (depth > MaxDepth)
            throw new CatalogException(file, line, $"it is nested deeper than {MaxDepth} levels.");

        switch (node)
        {
            case Scalar scalar:
                parser.MoveNext();
                return OfScalar(line, scalar.Value);
            case SequenceStart:
                parser.MoveNext();
                var items = new List<YamlTree>();
                while (!parser.TryConsume<SequenceEnd>(out _))
                    items.Add(ReadNode(parser, file, depth + 1));
                return OfItems(line, items);
            default:
                parser.Consume<MappingStart>();
                var members = new List<(string Key, YamlTree Value)>();
                while (!parser.TryConsume<MappingEnd>(out _))
                {
                    YamlTree key = ReadNode(parser, file, depth + 1);
                    if (key.Scalar is not { } name)
                        throw new CatalogException(file, key.Line, "a key must be a word.");
                    if (members.Exists(member => string.Equals(member.Key, name, StringComparison.Ordinal)))
                        throw new CatalogException(file, key.Line, $"the key \"{name}\" comes twice.");
                    members.Add((name, ReadNode(parser, file, depth + 1)));
                }

                return OfMembers(line, members);
        }
    }
}
