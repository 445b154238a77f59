namespace Glimmer.Client;

/// <summary><c>POST /chat/completions</c> (spec: api.md §6).</summary>
public sealed class ChatClient : IGlimmerChat
{
    private readonly Transport _transport;

    internal ChatClient(Transport transport) => _transport = transport;

    /// <inheritdoc/>
    public Task<Completion> CompleteAsync(CompletionRequest request, CancellationToken cancel = default) =>
        _transport.CallAsync("/chat/completions", Body(request, stream: false), ClientJson.Default.Completion, cancel);

    /// <inheritdoc/>
    public IAsyncEnumerable<CompletionChunk> StreamAsync(CompletionRequest request, CancellationToken cancel = default) =>
        _transport.StreamAsync("/chat/completions", Body(request, stream: true), ClientJson.Default.CompletionChunk, cancel);

    /// <summary>The body, with an id that stays the same for all tries: a server that has run the request does not run it again.</summary>
    internal static byte[] Body(CompletionRequest request, bool? stream)
    {
        ArgumentNullException.ThrowIfNull(request);
        return ClientJson.Write(request with { Stream = stream, RequestId = request.RequestId ?? NewId() }, ClientJson.Default.CompletionRequest);
    }

    internal static string NewId() => "req-" + Guid.NewGuid().ToString("N");
}
