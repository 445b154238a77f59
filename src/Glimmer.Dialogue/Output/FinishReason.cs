namespace Glimmer.Dialogue.Output;

/// <summary>Why the model stopped, before a dialect gives it its own word.</summary>
public enum FinishReason
{
    /// <summary>The model ended its turn, or a stop string was met.</summary>
    Stop,

    /// <summary>The token limit was reached.</summary>
    Length,

    /// <summary>The model handed over to tools.</summary>
    ToolCalls,

    /// <summary>The context window is full.</summary>
    ContextWindow,

    /// <summary>Moderation ended it.</summary>
    Sensitive,

    /// <summary>The backend failed in the middle.</summary>
    BackendFault,

    /// <summary>The client went away or the server is stopping.</summary>
    Cancelled,
}
