using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Glimmer.Shared.Yaml;

/// <summary>A text is not YAML of the plain kind. Each room tells it in an error of its own.</summary>
/// <param name="line">The line, from 1.</param>
/// <param name="problem">What is wrong there.</param>
/// <param name="inner">What the parser said.</param>
internal sealed class YamlTreeException(long line, string problem, Exception? inner = null) : Exception(problem, inner)
{
    /// <summary>The line, from 1.</summary>
    public long Line { get; } = line;
}

/// <summary>
/// A node of a YAML document with its line. Built straight from the parser's events, so that every error knows its line.
/// Anchors are refused, and depth and number of nodes are bounded: a small file cannot become a large tree.
/// </summary>
/// <remarks>Compiled into each room that reads such files: the rooms may not know each other, and the client library needs no parser.</remarks>
internal sealed class YamlTree
{
    private const int MaxDepth = 8;
    private const int MaxNodes = 100_000;

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

    /// <summary>Reads a text of one document; null when it is empty.</summary>
    /// <exception cref="YamlTreeException">It is not YAML of the plain kind.</exception>
    public static YamlTree? Read(TextReader text)
    {
        var parser = new Parser(text);
        int nodes = 0;
        try
        {
            parser.Consume<StreamStart>();
            if (parser.Accept<StreamEnd>(out _))
                return null;
            parser.Consume<DocumentStart>();
            YamlTree tree = ReadNode(parser, 0, ref nodes);
            parser.Consume<DocumentEnd>();
            if (!parser.Accept<StreamEnd>(out _))
                throw new YamlTreeException(parser.Current!.Start.Line, "there is a second document; keep one.");
            return tree;
        }
        catch (YamlException fault)
        {
            throw new YamlTreeException(fault.Start.Line, $"this is not YAML: {fault.Message.ReplaceLineEndings(" ")}", fault);
        }
        catch (Exception fault) when (fault is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            // The scanner's own way to say that a character stands where none may, a tab for instance.
            throw new YamlTreeException(parser.Current?.End.Line ?? 1, "this is not YAML, on this line or the next.", fault);
        }
    }

    private static YamlTree ReadNode(Parser parser, int depth, ref int nodes)
    {
        long line = parser.Current?.Start.Line ?? 0;
        if (parser.Current is not NodeEvent { Anchor.IsEmpty: true } node)
            throw new YamlTreeException(line, "anchors (& and *) are not allowed here.");
        if (depth > MaxDepth)
            throw new YamlTreeException(line, $"it is nested deeper than {MaxDepth} levels.");
        if (++nodes > MaxNodes)
            throw new YamlTreeException(line, $"it has more than {MaxNodes} values.");

        switch (node)
        {
            case Scalar scalar:
                parser.MoveNext();
                return OfScalar(line, scalar.Value);
            case SequenceStart:
                parser.MoveNext();
                var items = new List<YamlTree>();
                while (!parser.TryConsume<SequenceEnd>(out _))
                    items.Add(ReadNode(parser, depth + 1, ref nodes));
                return OfItems(line, items);
            default:
                parser.Consume<MappingStart>();
                var members = new List<(string Key, YamlTree Value)>();
                var keys = new HashSet<string>(StringComparer.Ordinal);
                while (!parser.TryConsume<MappingEnd>(out _))
                {
                    YamlTree key = ReadNode(parser, depth + 1, ref nodes);
                    if (key.Scalar is not { } name)
                        throw new YamlTreeException(key.Line, "a key must be a word.");
                    if (!keys.Add(name))
                        throw new YamlTreeException(key.Line, $"the key \"{name}\" comes twice.");
                    members.Add((name, ReadNode(parser, depth + 1, ref nodes)));
                }

                return OfMembers(line, members);
        }
    }
}
