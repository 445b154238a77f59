using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Output;

namespace Glimmer.Inference.Embedded;

/// <summary>
/// Ends the reasoning when it has used up its tokens: from then on the closing tag is the only thing that may be said.
/// Follows the output with an automaton of its own, since the engine may decide several tokens before it hands them on.
/// </summary>
/// <param name="follower">An automaton with the budget, used for nothing else.</param>
/// <param name="inner">A further constraint; null for none.</param>
internal sealed class ThinkingBudget(OutputAutomaton follower, ITokenConstraint? inner) : ITokenConstraint
{
    private readonly List<ChatEvent> _unheard = [];
    private int _forced = -1;

    /// <inheritdoc/>
    public bool FillMask(Span<uint> mask)
    {
        if (_forced < 0 && follower.ShouldForceEndThink && follower.EndThinkTokens.Count > 0)
            _forced = 0;
        if (_forced < 0)
            return inner?.FillMask(mask) ?? false;
        mask.Clear();
        int token = follower.EndThinkTokens[_forced];
        mask[token >> 5] = 1u << (token & 31);
        return true;
    }

    /// <inheritdoc/>
    public void Accept(int token)
    {
        if (_forced >= 0)
        {
            if (token != follower.EndThinkTokens[_forced])
                throw new InvalidOperationException($"Token {token} is not allowed: the reasoning is being ended.");
            _forced = _forced + 1 < follower.EndThinkTokens.Count ? _forced + 1 : -1;
        }

        inner?.Accept(token);
        _unheard.Clear();
        follower.Feed(token, _unheard);
    }
}
