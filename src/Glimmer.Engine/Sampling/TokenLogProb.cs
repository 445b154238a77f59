namespace Glimmer.Engine;

/// <summary>The natural logarithm of a token's probability.</summary>
/// <param name="Token">The token.</param>
/// <param name="LogProb">Its logarithm, before bias, penalties, temperature and constraints.</param>
public readonly record struct TokenLogProb(int Token, float LogProb);

/// <summary>A sink that asked for probabilities (<see cref="GenerationRequest.TopLogProbs"/>).</summary>
public interface ILogProbSink : ITokenSink
{
    /// <summary>Called just before <see cref="ITokenSink.OnToken"/> of the same token. The span is only valid during the call.</summary>
    /// <param name="chosen">The token that was chosen.</param>
    /// <param name="top">The most likely ones, best first; equal ones by lower id.</param>
    void OnLogProbs(TokenLogProb chosen, ReadOnlySpan<TokenLogProb> top);
}
