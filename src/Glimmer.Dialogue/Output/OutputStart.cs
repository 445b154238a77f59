namespace Glimmer.Dialogue.Output;

/// <summary>What the model's first token belongs to. The prompt decides it, never the model's name.</summary>
public enum OutputStart
{
    /// <summary>The model itself decides whether it opens a reasoning block.</summary>
    ThinkPending,

    /// <summary>The prompt ends inside an open reasoning block.</summary>
    Reasoning,

    /// <summary>The prompt closed the reasoning, or the model does not reason.</summary>
    Content,
}
