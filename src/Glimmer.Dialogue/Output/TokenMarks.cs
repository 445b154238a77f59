using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Output;

/// <summary>The tokens of a vocabulary that mean something in a generation's output: looked up once, not for each answer.</summary>
internal sealed class TokenMarks
{
    private static readonly ConditionalWeakTable<ITokenizer, ConcurrentDictionary<Generation, TokenMarks>> _known = [];
    private static readonly TokenMarks _none = new();

    private TokenMarks()
    {
    }

    private TokenMarks(Generation generation, ITokenizer tokenizer)
    {
        Stops = generation.StopTokens(tokenizer).ToFrozenSet();
        if (generation.Output.ToolCalls == ToolCallSyntax.NameAndJson && tokenizer.TryGetAdded(ControlTokens.Assistant, out int part))
            Part = part;
        Tags = TagsOf(tokenizer).ToFrozenSet();
        EndThink = EndThinkOf(tokenizer);
    }

    /// <summary>Tokens that end the answer.</summary>
    public FrozenSet<int> Stops { get; } = FrozenSet<int>.Empty;

    /// <summary>Tokens of the output's tags, which some converters mark as ones that output never shows; they are read all the same.</summary>
    public FrozenSet<int> Tags { get; } = FrozenSet<int>.Empty;

    /// <summary>The token that begins another part of the answer; -1 when there is none.</summary>
    public int Part { get; } = -1;

    /// <summary>A line break and <c>&lt;/think&gt;</c>, by their names in this vocabulary.</summary>
    public IReadOnlyList<int> EndThink { get; } = [];

    /// <summary>Those of a generation and a vocabulary; none without a vocabulary.</summary>
    public static TokenMarks Of(Generation generation, ITokenizer? tokenizer) =>
        tokenizer is null ? _none : _known.GetOrCreateValue(tokenizer).GetOrAdd(generation, static (generation, tokenizer) => new TokenMarks(generation, tokenizer), tokenizer);

    private static IEnumerable<int> TagsOf(ITokenizer tokenizer)
    {
        foreach (string tag in (string[])
        [
            ControlTokens.Think, ControlTokens.ThinkEnd, ControlTokens.ToolCall, ControlTokens.ToolCallEnd, ControlTokens.ArgKey, ControlTokens.ArgKeyEnd,
            ControlTokens.ArgValue, ControlTokens.ArgValueEnd, ControlTokens.Answer, ControlTokens.AnswerEnd, ControlTokens.BoxBegin, ControlTokens.BoxEnd,
        ])
        {
            if (tokenizer.TryGetAdded(tag, out int id))
                yield return id;
        }
    }

    private static List<int> EndThinkOf(ITokenizer tokenizer)
    {
        List<int> ids = [];
        if (tokenizer.TryGetAdded(ControlTokens.ThinkEnd, out int close))
        {
            tokenizer.Encode("\n", recogniseAdded: false, ids);
            ids.Add(close);
        }
        else
        {
            tokenizer.Encode("\n" + ControlTokens.ThinkEnd, recogniseAdded: false, ids);
        }

        return ids;
    }
}
