using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary><c>POST /tokenizer</c> (spec: api.md §12.3).</summary>
public sealed class TokenizerClient
{
    private readonly Transport _transport;

    internal TokenizerClient(Transport transport) => _transport = transport;

    /// <summary>How many tokens the prompt of a chat request has.</summary>
    /// <param name="request">The prompt.</param>
    /// <param name="cancel">Ends the call.</param>
    public Task<TokenizerResult> CountAsync(TokenizerRequest request, CancellationToken cancel = default) =>
        _transport.CallAsync("/tokenizer", ClientJson.Write(request, ClientJson.Default.TokenizerRequest), ClientJson.Default.TokenizerResult, cancel);
}

/// <summary>A prompt to count.</summary>
public sealed record TokenizerRequest : WireObject
{
    /// <summary>Model code.</summary>
    public required string Model { get; init; }

    /// <summary>The conversation.</summary>
    public required IReadOnlyList<Message> Messages { get; init; }

    /// <summary>Tools that are offered with it.</summary>
    public IReadOnlyList<Tool>? Tools { get; init; }

    /// <summary>6 to 64 characters.</summary>
    public string? RequestId { get; init; }

    /// <summary>The end user, 6 to 128 characters.</summary>
    public string? UserId { get; init; }
}

/// <summary>A count.</summary>
public sealed record TokenizerResult : WireObject
{
    /// <summary>Id of the answer.</summary>
    public string? Id { get; init; }

    /// <summary>Unix seconds.</summary>
    public long Created { get; init; }

    /// <summary>Id of the request.</summary>
    public string? RequestId { get; init; }

    /// <summary>The count.</summary>
    public required TokenCount Usage { get; init; }
}

/// <summary>Tokens of a prompt.</summary>
public sealed record TokenCount
{
    /// <summary>Tokens of text.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Tokens of images.</summary>
    public int ImageTokens { get; init; }

    /// <summary>Tokens of videos.</summary>
    public int VideoTokens { get; init; }

    /// <summary>All.</summary>
    public int TotalTokens { get; init; }
}
