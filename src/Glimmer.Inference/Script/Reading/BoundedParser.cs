using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Glimmer.Inference.Script;

/// <summary>Reads YAML's events and stops at what no scenario needs: deep nesting, which would exhaust the stack of whoever builds the tree, and numbers of nodes and aliases that are an attack.</summary>
internal sealed class BoundedParser(IParser inner) : IParser
{
    private const int MostDepth = 64;
    private const int MostEvents = 4_000_000;
    private const int MostAliases = 10_000;
    private int _depth;
    private int _events;
    private int _aliases;

    public ParsingEvent? Current => inner.Current;

    public bool MoveNext()
    {
        if (!inner.MoveNext())
            return false;
        _depth += inner.Current!.NestingIncrease;
        _aliases += inner.Current is AnchorAlias ? 1 : 0;
        if (_depth > MostDepth)
            throw Fault($"it is nested deeper than {MostDepth} levels.");
        if (++_events > MostEvents)
            throw Fault($"it has more than {MostEvents} nodes; split the scenario.");
        if (_aliases > MostAliases)
            throw Fault($"it has more than {MostAliases} aliases; write them out.");
        return true;
    }

    private YamlException Fault(string problem) => new(inner.Current!.Start, inner.Current.End, problem);
}
