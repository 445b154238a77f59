using Glimmer.Engine;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>An embedded model with its files.</summary>
internal sealed class HostedEmbeddedBackend(EmbeddedChatBackend backend, WeightFiles files) : IHostedBackend, ITokenizerBackend
{
    /// <inheritdoc/>
    public ValueTask<T> UseTokenizerAsync<T>(Func<Dialogue.Tokenization.ITokenizer, Dialogue.Generations.Generation, T> use, CancellationToken cancel) => backend.UseTokenizerAsync(use, cancel);

    /// <inheritdoc/>
    public ChatStart Start(ChatRequest request, Action ended) => backend.Start(request, ended);

    /// <inheritdoc/>
    public int CountTokens(ChatRequest request) => backend.CountTokens(request);

    /// <inheritdoc/>
    public EngineStatistics? EngineStatistics => backend.EngineStatistics;

    /// <inheritdoc/>
    public WeightFileState CheckFiles() => files.Check();

    /// <inheritdoc/>
    public Task StopAsync(TimeSpan grace) => backend.StopAsync(grace);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await backend.DisposeAsync();
        files.Dispose();
    }
}
