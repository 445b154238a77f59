namespace Glimmer.Kernels;

/// <summary>How router logits become scores.</summary>
public enum ExpertGating
{
    /// <summary>Over all experts together.</summary>
    Softmax = 1,

    /// <summary>Each expert for itself.</summary>
    Sigmoid = 2,
}

/// <summary>Chooses the experts of a token and their weights.</summary>
/// <remarks>
/// Scores s come from the logits; c = s + bias is used for choosing only. Experts form equal groups, a group counts the sum of its two largest c,
/// and only the best groups take part. The weights are the s of the chosen experts, divided by their sum + 1e-20 if
/// <see cref="Normalise"/>, times <see cref="Scale"/> (DeepSeek-V3's router, which GLM-4.5 and later use).
/// </remarks>
public sealed record ExpertRouter
{
    /// <summary>Describes a router.</summary>
    /// <param name="experts">Experts to choose from.</param>
    /// <param name="chosen">Experts per token, at most <paramref name="experts"/>.</param>
    /// <param name="groups">Groups; divides <paramref name="experts"/>.</param>
    /// <param name="chosenGroups">Groups that take part, at most <paramref name="groups"/>; together they must hold <paramref name="chosen"/> experts.</param>
    /// <param name="normalise">Whether the weights are made to sum to 1 before scaling.</param>
    /// <param name="scale">Factor on every weight.</param>
    /// <param name="gating">How logits become scores.</param>
    /// <exception cref="ArgumentException">The numbers contradict each other.</exception>
    public ExpertRouter(int experts, int chosen, int groups = 1, int chosenGroups = 1, bool normalise = true, float scale = 1, ExpertGating gating = ExpertGating.Sigmoid)
    {
        if (experts < 1 || experts > 65536)
            throw new ArgumentException($"A router with {experts} experts is not possible; use 1 to 65536.", nameof(experts));
        if (groups < 1 || experts % groups != 0)
            throw new ArgumentException($"{experts} experts cannot form {groups} equal groups.", nameof(groups));
        if (chosenGroups < 1 || chosenGroups > groups)
            throw new ArgumentException($"{chosenGroups} of {groups} groups cannot be chosen.", nameof(chosenGroups));
        if (chosen < 1 || chosen > experts / groups * chosenGroups)
            throw new ArgumentException($"{chosen} experts per token cannot be chosen from {chosenGroups} groups of {experts / groups}.", nameof(chosen));
        if (!Enum.IsDefined(gating))
            throw new ArgumentException($"Unknown gating {gating}.", nameof(gating));
        Experts = experts;
        Chosen = chosen;
        Groups = groups;
        ChosenGroups = chosenGroups;
        Normalise = normalise;
        Scale = scale;
        Gating = gating;
    }

    /// <summary>Experts to choose from.</summary>
    public int Experts { get; }

    /// <summary>Experts per token.</summary>
    public int Chosen { get; }

    /// <summary>Groups of experts.</summary>
    public int Groups { get; }

    /// <summary>Groups that take part.</summary>
    public int ChosenGroups { get; }

    /// <summary>Whether the weights are made to sum to 1 before scaling.</summary>
    public bool Normalise { get; }

    /// <summary>Factor on every weight.</summary>
    public float Scale { get; }

    /// <summary>How logits become scores.</summary>
    public ExpertGating Gating { get; }

    /// <summary>Routes one token.</summary>
    /// <param name="logits">Router outputs, one per expert.</param>
    /// <param name="bias">Correction per expert, or empty for none.</param>
    /// <param name="indices">Receives the chosen experts in ascending order.</param>
    /// <param name="weights">Receives their weights in the same order.</param>
    /// <exception cref="ArgumentException">A length does not fit this router.</exception>
    public void Route(ReadOnlySpan<float> logits, ReadOnlySpan<float> bias, Span<int> indices, Span<float> weights)
    {
        if (logits.Length != Experts || (bias.Length != Experts && !bias.IsEmpty) || indices.Length != Chosen || weights.Length != Chosen)
            throw new ArgumentException($"{logits.Length} logits, {bias.Length} biases, room for {indices.Length} indices and {weights.Length} weights do not fit {Chosen} of {Experts} experts.", nameof(logits));

        // Up to the largest published routers everything fits on the stack.
        Span<float> scores = Experts <= 1024 ? stackalloc float[Experts] : new float[Experts];
        Span<float> choice = Experts <= 1024 ? stackalloc float[Experts] : new float[Experts];
        if (Gating == ExpertGating.Sigmoid)
            Activations.Sigmoid(logits, scores);
        else
            Softmax.Apply(logits, scores);
        if (bias.IsEmpty)
            scores.CopyTo(choice);
        else
            VectorMath.Add(scores, bias, choice);

        if (ChosenGroups < Groups)
            LeaveOutGroups(choice);
        Ranking.TopK(choice, indices);
        indices.Sort();

        float sum = 0;
        for (int i = 0; i < indices.Length; i++)
        {
            weights[i] = scores[indices[i]];
            sum += weights[i];
        }

        for (int i = 0; i < weights.Length; i++)
            weights[i] = (Normalise ? weights[i] / (sum + 1e-20f) : weights[i]) * Scale;
    }

    /// <summary>Sets the c of every group that is not among the best to −∞.</summary>
    private void LeaveOutGroups(Span<float> choice)
    {
        int size = Experts / Groups;
        Span<float> groupScores = Groups <= 256 ? stackalloc float[Groups] : new float[Groups];
        for (int g = 0; g < Groups; g++)
        {
            float first = float.NegativeInfinity, second = float.NegativeInfinity;
            foreach (float c in choice.Slice(g * size, size))
            {
                if (c > first)
                    (first, second) = (c, first);
                else if (c > second)
                    second = c;
            }

            groupScores[g] = size == 1 ? first : first + second;
        }

        Span<int> best = ChosenGroups <= 256 ? stackalloc int[ChosenGroups] : new int[ChosenGroups];
        Ranking.TopK(groupScores, best);
        for (int g = 0; g < Groups; g++)
        {
            if (!best.Contains(g))
                choice.Slice(g * size, size).Fill(float.NegativeInfinity);
        }
    }
}
