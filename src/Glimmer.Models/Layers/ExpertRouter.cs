using Glimmer.Models.Configuration;

namespace Glimmer.Models.Layers;

/// <summary>
/// Chooses experts: scores from the logits, a correction bias that counts for the choice only, groups of which the best
/// are kept, and weights from the unbiased scores. Ties go to the lower index.
/// </summary>
internal sealed unsafe class ExpertRouter(MoeConfig config, float[]? bias)
{
    /// <summary>Experts chosen per token.</summary>
    public int PerToken => config.PerToken;

    /// <summary>Number of routed experts.</summary>
    public int Experts => config.Experts;

    /// <summary>Chooses for one token.</summary>
    /// <param name="logits">Router outputs, one per expert; overwritten with the scores.</param>
    /// <param name="choice">Scratch, one per expert.</param>
    /// <param name="indices">Receives the chosen experts, ascending.</param>
    /// <param name="weights">Receives their weights.</param>
    public void Choose(float* logits, float* choice, int* indices, float* weights)
    {
        int experts = config.Experts, perToken = config.PerToken;
        Score(logits, experts);
        for (int e = 0; e < experts; e++)
            choice[e] = bias is null ? logits[e] : logits[e] + bias[e];
        if (config.GroupsKept < config.Groups)
            KeepBestGroups(choice);
        for (int k = 0; k < perToken; k++)
            indices[k] = TakeLargest(choice, experts);
        new Span<int>(indices, perToken).Sort();

        float sum = 0;
        for (int k = 0; k < perToken; k++)
        {
            weights[k] = logits[indices[k]];
            sum += weights[k];
        }

        for (int k = 0; k < perToken; k++)
        {
            if (config.Normalise)
                weights[k] /= sum + 1e-20f;
            weights[k] *= (float)config.Scale;
        }
    }

    private void Score(float* logits, int experts)
    {
        if (config.Score == RouterScore.Sigmoid)
        {
            for (int e = 0; e < experts; e++)
                logits[e] = PlainMath.Sigmoid(logits[e]);
            return;
        }

        float maximum = float.NegativeInfinity, sum = 0;
        for (int e = 0; e < experts; e++)
            maximum = Math.Max(maximum, logits[e]);
        for (int e = 0; e < experts; e++)
            sum += logits[e] = MathF.Exp(logits[e] - maximum);
        PlainMath.Scale(logits, 1 / sum, experts);
    }

    // A group is worth the sum of its two largest; the others are out of reach.
    private void KeepBestGroups(float* choice)
    {
        int size = config.Experts / config.Groups;
        float* worth = stackalloc float[config.Groups];
        for (int g = 0; g < config.Groups; g++)
        {
            float first = float.NegativeInfinity, second = float.NegativeInfinity;
            for (int e = g * size; e < (g + 1) * size; e++)
            {
                if (choice[e] > first)
                    (first, second) = (choice[e], first);
                else if (choice[e] > second)
                    second = choice[e];
            }

            worth[g] = size == 1 ? first : first + second;
        }

        bool* kept = stackalloc bool[config.Groups];
        for (int k = 0; k < config.GroupsKept; k++)
            kept[TakeLargest(worth, config.Groups)] = true;
        for (int e = 0; e < config.Experts; e++)
        {
            if (!kept[e / size])
                choice[e] = float.NegativeInfinity;
        }
    }

    // NaN marks what is taken: it is never larger than anything. −∞ can still be taken when nothing else is left.
    private static int TakeLargest(float* values, int count)
    {
        int best = -1;
        for (int i = 0; i < count; i++)
        {
            if (!float.IsNaN(values[i]) && (best < 0 || values[i] > values[best]))
                best = i;
        }

        best = Math.Max(best, 0);
        values[best] = float.NaN;
        return best;
    }
}
