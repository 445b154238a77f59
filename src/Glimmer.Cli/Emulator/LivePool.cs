using Glimmer.Inference;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Routing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Cli.Emulator;

/// <summary>The backends of a file as one, which asks those of the model.</summary>
internal sealed class LivePool : IChatBackend, IAsyncDisposable
{
    private readonly BackendPool _pool;
    private readonly Task _probed;

    /// <summary>Opens them.</summary>
    /// <param name="set">What the file says.</param>
    /// <param name="logs">Where their lines go.</param>
    public LivePool(BackendSet set, ILoggerFactory logs)
    {
        BackendFactory factory = new(TimeProvider.System, logs);
        _pool = new BackendPool(factory.Create, createEmbeddings: factory.CreateEmbeddings);
        BackendLog.Attach(_pool, logs);
        _pool.Apply(set);
        _probed = _pool.FirstProbesAsync(TimeSpan.FromSeconds(5));
    }

    public string Name => "live";

    public IReadOnlyList<string> Models => [.. _pool.Models.Select(static model => model.Code)];

    public bool IsReady => true;

    public bool TakesRawPrompts => _pool.Models.Any(static model => model.TakesRawPrompts);

    public async ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        // Engines that take tokens are not ready before they were asked how they are.
        await _probed.WaitAsync(cancel);
        if (_pool.Find(request.Model) is not { } model)
            return new ChatStart(null, PlatformError.Of(BusinessCode.ModelMissing));
        return request.Raw is null || model.TakesRawPrompts
            ? await model.StartAsync(request, cancel)
            : new ChatStart(null, PlatformError.Unsupported("prompt", "raw text", $"no backend of {model.Code} takes it"));
    }

    public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel) =>
        _pool.Find(request.Model) is { } model ? model.CountTokensAsync(request, cancel) : throw new ChatRequestException(PlatformError.Of(BusinessCode.ModelMissing));

    /// <summary>The backends that make embeddings under a code, as one; null for none.</summary>
    public async ValueTask<IEmbeddingBackend?> FindEmbeddingsAsync(string model, CancellationToken cancel)
    {
        await _probed.WaitAsync(cancel);
        return _pool.Embeddings.FirstOrDefault(backend => string.Equals(backend.Model, model, StringComparison.OrdinalIgnoreCase));
    }

    public ValueTask DisposeAsync() => _pool.DisposeAsync();
}
