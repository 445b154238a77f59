using System.Text.Json;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>What a scripted model says.</summary>
public sealed record ScriptedReply
{
    /// <summary>What it thinks first; left out where the request switched thinking off.</summary>
    public string? Thinking { get; init; }

    /// <summary>What it says.</summary>
    public string? Text { get; init; }

    /// <summary>The functions it calls then.</summary>
    public IReadOnlyList<ScriptedCall> ToolCalls { get; init; } = [];

    /// <summary>
    /// The model's output as it comes, tags included, instead of the three above: for output that a well-behaved model would not write.
    /// </summary>
    public string? Raw { get; init; }

    /// <summary>How often <see cref="Text"/> is said; for long answers.</summary>
    public int Repeat { get; init; } = 1;

    /// <summary>Why it ends when it has said everything.</summary>
    public ScriptedEnd End { get; init; } = ScriptedEnd.Stop;

    /// <summary>An error instead of an answer.</summary>
    public ScriptedError? Error { get; init; }

    /// <summary>Time before the first token.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Up to so much is added to <see cref="Delay"/>, by the seed and the number of the use.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Tokens per second; 0 for as fast as they are read.</summary>
    public double Rate { get; init; }

    /// <summary>The backend fails after so many tokens; null for never.</summary>
    public int? CutAfter { get; init; }

    /// <summary>Tokens of the prompt that count as found in the cache, at most all but one.</summary>
    public int CachedTokens { get; init; }
}

/// <summary>Ways to end.</summary>
public enum ScriptedEnd
{
    /// <summary>The model ends its turn.</summary>
    Stop,

    /// <summary>The token limit is reached, whatever the request says.</summary>
    Length,

    /// <summary>Moderation ends it.</summary>
    Sensitive,
}

/// <summary>A call that a scripted model makes.</summary>
/// <param name="Name">Function name.</param>
/// <param name="Arguments">Its arguments, an object.</param>
public sealed record ScriptedCall(string Name, JsonElement Arguments);

/// <summary>An error that a scripted backend gives.</summary>
/// <param name="Code">Business code.</param>
/// <param name="Message">For people; null for the code's usual one.</param>
/// <param name="RetryAfter">When to try again; null for nothing.</param>
public sealed record ScriptedError(BusinessCode Code, string? Message, TimeSpan? RetryAfter)
{
    /// <summary>HTTP status, 400 to 599; null for the one that the code has in the caller's dialect.</summary>
    public int? Status { get; init; }

    /// <summary>The error as it is told.</summary>
    internal PlatformError ToPlatform()
    {
        PlatformError usual = PlatformError.Of(Code);
        PlatformError told = usual with { Message = Message ?? usual.Message, Chinese = Message ?? usual.Chinese, RetryAfter = RetryAfter ?? usual.RetryAfter };
        return Status is { } status ? told with { Status = status, StatusIsFinal = true } : told;
    }
}
