using System.Text.Json;
using Glimmer.Protocol.Chat;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Body of OpenAI's <c>POST /v1/responses</c> after its checks. What it is asked lies in <see cref="Chat"/>, but for the messages, which need what was said before.</summary>
public sealed record ResponsesRequest
{
    /// <summary>Everything that every dialect has; without messages.</summary>
    public required ChatCompletionRequest Chat { get; init; }

    /// <summary>Items of <c>input</c>, detached; a bare text is one message of the user.</summary>
    public required IReadOnlyList<JsonElement> Input { get; init; }

    /// <summary>Instructions before all items; null for none.</summary>
    public string? Instructions { get; init; }

    /// <summary>The response that this one goes on from; null for none.</summary>
    public string? PreviousResponseId { get; init; }

    /// <summary>The conversation that this one belongs to; null for none.</summary>
    public string? ConversationId { get; init; }

    /// <summary><c>store</c>; null when the client did not say.</summary>
    public bool? Store { get; init; }

    /// <summary>Whether it is made while nobody waits.</summary>
    public bool Background { get; init; }

    /// <summary>Whether the oldest messages are left out of what does not fit into the model's context (<c>truncation: auto</c>).</summary>
    public bool Truncates { get; init; }

    /// <summary>Whether reasoning is told as a summary (<c>reasoning.summary</c>), not as its text.</summary>
    public bool ReasoningAsSummary { get; init; }

    /// <summary>Whether reasoning items carry their sealed form (<c>include: ["reasoning.encrypted_content"]</c>).</summary>
    public bool SealedReasoning { get; init; }

    /// <summary>Types of hosted tools that were offered and left out.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    /// <summary>Functions that came in a namespace, by the name that the model sees.</summary>
    public IReadOnlyDictionary<string, NamespacedName> Namespaces { get; init; } = new Dictionary<string, NamespacedName>(StringComparer.Ordinal);

    /// <summary>Tools that take free text, by the name that the model sees.</summary>
    public IReadOnlySet<string> Custom { get; init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Members that the response repeats as they were sent, detached, by their names.</summary>
    public IReadOnlyDictionary<string, JsonElement> Echo { get; init; } = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
}

/// <summary>A function's place in a namespace of tools.</summary>
/// <param name="Namespace">The namespace.</param>
/// <param name="Name">The function's name in it.</param>
public sealed record NamespacedName(string Namespace, string Name);
