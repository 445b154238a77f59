using Glimmer.Dialogue.Constraints.Automata;

namespace Glimmer.Dialogue.Constraints.Gbnf;

/// <summary>A rule's right side as a tree.</summary>
internal abstract record GbnfNode;

/// <summary>One code point of a set.</summary>
internal sealed record GbnfChar(CodePointSet Set) : GbnfNode;

/// <summary>One after the other.</summary>
internal sealed record GbnfSequence(IReadOnlyList<GbnfNode> Items) : GbnfNode;

/// <summary>One of several.</summary>
internal sealed record GbnfChoice(IReadOnlyList<GbnfNode> Items) : GbnfNode;

/// <summary>As often as the bounds say.</summary>
internal sealed record GbnfRepeat(GbnfNode Item, int Minimum, int? Maximum) : GbnfNode;

/// <summary>Another rule, and where it is named.</summary>
internal sealed record GbnfReference(string Name, int Position) : GbnfNode;
