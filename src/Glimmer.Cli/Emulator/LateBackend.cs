using Glimmer.Inference;

namespace Glimmer.Cli.Emulator;

/// <summary>A backend that is made with its first use.</summary>
/// <param name="models">What it answers for.</param>
/// <param name="make">Makes it.</param>
internal sealed class LateBackend(IReadOnlyList<string> models, Func<IChatBackend> make) : IChatBackend, IDisposable
{
    private readonly Lazy<IChatBackend> _backend = new(make);

    /// <summary>The backend, which is made now where it was not before.</summary>
    public IChatBackend Opened => _backend.Value;

    public string Name => "live";

    public IReadOnlyList<string> Models => models;

    public bool IsReady => true;

    public bool TakesRawPrompts => _backend.Value.TakesRawPrompts;

    public ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel) => _backend.Value.StartAsync(request, cancel);

    public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel) => _backend.Value.CountTokensAsync(request, cancel);

    public void Dispose()
    {
        if (!_backend.IsValueCreated)
            return;
        if (_backend.Value is IAsyncDisposable asynchronous)
            asynchronous.DisposeAsync().AsTask().GetAwaiter().GetResult();
        else
            (_backend.Value as IDisposable)?.Dispose();
    }
}
