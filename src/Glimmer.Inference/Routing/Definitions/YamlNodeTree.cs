using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Glimmer.Inference.Routing.Definitions;

/// <summary>
/// A node of a YAML document with its line, read from the parser's events. Anchors are refused, and depth and number of nodes are bounded: a small
/// file cannot become a large tree.
/// </summary>
internal sealed record YamlNodeTree(long Line)
{
    private const int MostDepth = 8;
    private const int MostNodes = 100_000;

    /// <summary>The text of a scalar; null for other nodes.</summary>
    public string? Scalar { get; private init; }

    /// <summary>The items of a list; null for other nodes.</summary>
    public List<YamlNodeTree>? Items { get; private init; }

    /// <summary>The members of a mapping in order; null for other nodes.</summary>
    public List<(string Key, YamlNodeTree Value)>? Members { get; private init; }

    /// <summary>Reads one document.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">Its name, for messages.</param>
    /// <exception cref="BackendFileException">It is not YAML of the plain kind.</exception>
    public static YamlNodeTree Read(TextReader text, string file)
    {
        var parser = new Parser(text);
        int nodes = 0;
        try
        {
            parser.Consume<StreamStart>();
            if (parser.Accept<StreamEnd>(out _))
                throw new BackendFileException($"{file}, line 1: the file is empty; it needs the list backends.");
            parser.Consume<DocumentStart>();
            YamlNodeTree tree = ReadNode(parser, file, 0, ref nodes);
            parser.Consume<DocumentEnd>();
            if (!parser.Accept<StreamEnd>(out _))
                throw new BackendFileException($"{file}, line {parser.Current!.Start.Line}: there is a second document; keep one.");
            return tree;
        }
        catch (YamlException fault)
        {
            throw new BackendFileException($"{file}, line {fault.Start.Line}: this is not YAML: {fault.Message.ReplaceLineEndings(" ")}", fault);
        }
        catch (Exception fault) when (fault is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            // The scanner's own way to say that a character stands where none may, a tab for instance.
            throw new BackendFileException($"{file}, line {parser.Current?.End.Line ?? 1}: this is not YAML, on this line or the next.", fault);
        }
    }

    private static YamlNodeTree ReadNode(Parser parser, string file, int depth, ref int nodes)
    {
        long line = parser.Current?.Start.Line ?? 0;
        if (parser.Current is not NodeEvent { Anchor.IsEmpty: true } node)
            throw new BackendFileException($"{file}, line {line}: anchors (& and *) are not allowed here.");
        if (depth > MostDepth)
            throw new BackendFileException($"{file}, line {line}: it is nested deeper than {MostDepth} levels.");
        if (++nodes > MostNodes)
            throw new BackendFileException($"{file}, line {line}: it has more than {MostNodes} values.");
        switch (node)
        {
            case Scalar scalar:
                parser.MoveNext();
                return new YamlNodeTree(line) { Scalar = scalar.Value };
            case SequenceStart:
                parser.MoveNext();
                List<YamlNodeTree> items = [];
                while (!parser.TryConsume<SequenceEnd>(out _))
                    items.Add(ReadNode(parser, file, depth + 1, ref nodes));
                return new YamlNodeTree(line) { Items = items };
            default:
                parser.Consume<MappingStart>();
                List<(string Key, YamlNodeTree Value)> members = [];
                HashSet<string> keys = new(StringComparer.Ordinal);
                while (!parser.TryConsume<MappingEnd>(out _))
                {
                    YamlNodeTree key = ReadNode(parser, file, depth + 1, ref nodes);
                    if (key.Scalar is not { } name)
                        throw new BackendFileException($"{file}, line {key.Line}: a key must be a word.");
                    if (!keys.Add(name))
                        throw new BackendFileException($"{file}, line {key.Line}: the key \"{name}\" comes twice.");
                    members.Add((name, ReadNode(parser, file, depth + 1, ref nodes)));
                }

                return new YamlNodeTree(line) { Members = members };
        }
    }
}
