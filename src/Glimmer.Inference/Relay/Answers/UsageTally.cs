namespace Glimmer.Inference.Relay.Answers;

/// <summary>What a service has said of the cost so far; null for what it has not said.</summary>
internal struct UsageTally
{
    /// <summary>Tokens of the prompt, cached ones included.</summary>
    public int? Prompt;

    /// <summary>Of those, cached ones.</summary>
    public int? Cached;

    /// <summary>Tokens of reasoning and answer.</summary>
    public int? Completion;

    /// <summary>Of those, tokens of reasoning.</summary>
    public int? Reasoning;
}
