using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference;

/// <summary>Tokens of one answer.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CachedTokens">Of those, tokens reused from the cache.</param>
/// <param name="CompletionTokens">Tokens generated, reasoning included.</param>
/// <param name="ReasoningTokens">Of those, tokens of reasoning.</param>
public readonly record struct ChatUsage(int PromptTokens, int CachedTokens, int CompletionTokens, int ReasoningTokens);

/// <summary>An answer that has begun.</summary>
public interface IChatAnswer
{
    /// <summary>
    /// The events as the model says them; read it once. Ends when the answer is complete; cancelling ends the
    /// generation within one token. Nothing is thrown for a backend's fault: <see cref="Finish"/> says so.
    /// </summary>
    IAsyncEnumerable<ChatEvent> ReadAsync(CancellationToken cancel);

    /// <summary>Why it ended; valid once <see cref="ReadAsync"/> has completed.</summary>
    FinishReason Finish { get; }

    /// <summary>What it cost; prompt counts are valid from the first event, the rest at the end.</summary>
    ChatUsage Usage { get; }

    /// <summary>The stop text of the request that ended it; null when none did. Valid at the end.</summary>
    string? StopText => null;

    /// <summary>What a backend that failed said of it, to be told in place of the general error; null when there is nothing better. Valid at the end.</summary>
    PlatformError? Error => null;

    /// <summary>How often malformed output was mended in one way, where the backend reads the output itself; valid at the end.</summary>
    /// <param name="kind">One kind.</param>
    int CountRepairs(Repairs kind) => 0;

    /// <summary>
    /// What the request's schemas demand and the backend does not enforce, because strictness was not asked for; valid from the
    /// start, empty when everything is enforced.
    /// </summary>
    IReadOnlyList<Relaxation> Relaxations => [];
}

/// <summary>A keyword of a schema that is not enforced.</summary>
/// <param name="Pointer">JSON pointer of the schema that holds it; inside the answer's schema, or from <c>/tools</c> on.</param>
/// <param name="Keyword">The keyword.</param>
public readonly record struct Relaxation(string Pointer, string Keyword);

/// <summary>The start of an answer, or why there is none.</summary>
/// <param name="Answer">The answer when it has begun.</param>
/// <param name="Error">The reason when it has not.</param>
public readonly record struct ChatStart(IChatAnswer? Answer, PlatformError? Error)
{
    /// <summary>Whose fault it is that there is none; says whether another backend may be asked.</summary>
    public StartFault Fault { get; init; }
}

/// <summary>Whose fault it is that an answer did not begin.</summary>
public enum StartFault
{
    /// <summary>The request's: every backend would say so.</summary>
    Request,

    /// <summary>The backend is full: another may have a place. Nothing against its health.</summary>
    Busy,

    /// <summary>The backend failed, or could not be reached.</summary>
    Backend,
}

/// <summary>Something that answers chat requests: the embedded engine, a remote one, a relay, a script.</summary>
public interface IChatBackend
{
    /// <summary>Name for logs, traces and headers.</summary>
    string Name { get; }

    /// <summary>Model codes it serves under their own name.</summary>
    IReadOnlyList<string> Models { get; }

    /// <summary>Whether it can take requests now.</summary>
    bool IsReady { get; }

    /// <summary>Whether it goes on with prompts that no template touches (<see cref="ChatRequest.Raw"/>).</summary>
    bool TakesRawPrompts => false;

    /// <summary>
    /// Renders and checks the request and begins the answer. Errors known before the first token (a prompt that is
    /// too long, a schema that cannot be enforced) come back here, never as exceptions.
    /// </summary>
    ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel);

    /// <summary>Exact number of prompt tokens of the request.</summary>
    ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel);
}
