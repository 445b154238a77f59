using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>One model of a host as a backend: it is always ready, and loads the model when a request needs it.</summary>
internal sealed class HostedChatBackend(ModelHost host, ModelHost.Entry entry) : IChatBackend, IEngineReport, ITokenizerBackend
{
    /// <inheritdoc/>
    public string Name { get; } = $"embedded:{entry.Model.Code}";

    /// <inheritdoc/>
    public IReadOnlyList<string> Models { get; } = [entry.Model.Code];

    /// <inheritdoc/>
    public bool IsReady => !host.IsStopping;

    /// <inheritdoc/>
    public bool TakesRawPrompts => true;

    /// <inheritdoc/>
    public EngineStatistics? EngineStatistics => host.EngineStatisticsOf(entry);

    /// <inheritdoc/>
    public async ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        (ModelHost.Lease? lease, Protocol.Errors.PlatformError? error) = await host.AcquireAsync(entry, cancel);
        if (lease is null)
            return new ChatStart(null, error);
        ChatStart start = default;
        try
        {
            return start = lease.Backend.Start(request, lease.Release);
        }
        finally
        {
            // An answer gives the lease back itself when it has ended.
            if (start.Answer is null)
                lease.Release();
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ChatRequestException">The request can't be rendered, or the model can't be loaded.</exception>
    public async ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel)
    {
        (ModelHost.Lease? lease, Protocol.Errors.PlatformError? error) = await host.AcquireAsync(entry, cancel);
        if (lease is null)
            throw new ChatRequestException(error!);
        try
        {
            return lease.Backend.CountTokens(request);
        }
        finally
        {
            lease.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask<T> UseTokenizerAsync<T>(Func<ITokenizer, Generation, T> use, CancellationToken cancel)
    {
        (ModelHost.Lease? lease, Protocol.Errors.PlatformError? error) = await host.AcquireAsync(entry, cancel);
        if (lease is null)
            throw new ChatRequestException(error!);
        try
        {
            return lease.Backend is ITokenizerBackend backend
                ? await backend.UseTokenizerAsync(use, cancel)
                : throw new ChatRequestException(Protocol.Errors.PlatformError.Unsupported("model", "tokenize", "this backend does not show its vocabulary"));
        }
        finally
        {
            lease.Release();
        }
    }
}
