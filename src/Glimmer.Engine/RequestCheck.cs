namespace Glimmer.Engine;

/// <summary>Refuses malformed requests before they reach the engine's thread.</summary>
internal static class RequestCheck
{
    private const int MostTopLogProbs = 20;

    /// <summary>Throws for the first thing that is wrong, naming it and a legal value.</summary>
    public static void Check(GenerationRequest request, int vocabulary)
    {
        Require(request.Prompt.Count > 0, "Prompt is empty; it needs at least one token.");
        for (int i = 0; i < request.Prompt.Count; i++)
            Require((uint)request.Prompt[i] < (uint)vocabulary, $"Prompt[{i}] is {request.Prompt[i]}; ids go from 0 to {vocabulary - 1}.");
        Require(request.MaxTokens >= 1, $"MaxTokens is {request.MaxTokens}; it must be at least 1.");
        Require(request.TopLogProbs is null or (>= 0 and <= MostTopLogProbs), $"TopLogProbs is {request.TopLogProbs}; legal is 0 to {MostTopLogProbs}, or null for none.");
        Require(request.TopLogProbs is null || request.Sink is ILogProbSink, "TopLogProbs needs a sink that is an ILogProbSink.");
        SamplingOptions sampling = request.Sampling;
        Require(sampling.Temperature >= 0 && float.IsFinite(sampling.Temperature), $"Temperature is {sampling.Temperature}; it must be 0 or more.");
        Require(sampling.TopP is > 0 and <= 1, $"TopP is {sampling.TopP}; legal is above 0 up to 1.");
        Require(sampling.TopK >= 0, $"TopK is {sampling.TopK}; it must be 0 (off) or more.");
        Require(sampling.MinP is >= 0 and <= 1, $"MinP is {sampling.MinP}; legal is 0 to 1.");
        Require(sampling.RepetitionPenalty > 0 && float.IsFinite(sampling.RepetitionPenalty), $"RepetitionPenalty is {sampling.RepetitionPenalty}; it must be above 0.");
        Require(float.IsFinite(sampling.PresencePenalty), $"PresencePenalty is {sampling.PresencePenalty}; it must be a finite number.");
        Require(float.IsFinite(sampling.FrequencyPenalty), $"FrequencyPenalty is {sampling.FrequencyPenalty}; it must be a finite number.");
        if (sampling.LogitBias is null)
            return;
        foreach ((int token, float bias) in sampling.LogitBias)
        {
            Require((uint)token < (uint)vocabulary, $"LogitBias names token {token}; ids go from 0 to {vocabulary - 1}.");
            Require(!float.IsNaN(bias) && !float.IsPositiveInfinity(bias), $"LogitBias of token {token} is {bias}; it must be a number.");
        }
    }

    private static void Require(bool holds, string fault)
    {
        if (!holds)
            throw new ArgumentException(fault);
    }
}
