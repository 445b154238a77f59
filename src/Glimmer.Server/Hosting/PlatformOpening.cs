namespace Glimmer.Server.Hosting;

/// <summary>
/// Data folder, catalogue and store of a server to be, opened on another thread while its maker does something else. Made by <see cref="GlimmerServer.BeginOpening"/>;
/// what no server took is closed with it.
/// </summary>
public sealed class PlatformOpening : IAsyncDisposable
{
    private readonly Task<PlatformParts> _parts;
    private bool _taken;

    internal PlatformOpening(GlimmerOptions options, GlimmerServices services) => _parts = Task.Run(() => PlatformParts.Open(options, services));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_taken)
            return;
        _taken = true;
        await ((Task)_parts).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_parts.IsCompletedSuccessfully)
            await (await _parts).DisposeAsync();
    }

    /// <summary>Waits for them; they are the caller's from then on.</summary>
    internal PlatformParts Take()
    {
        ObjectDisposedException.ThrowIf(_taken, this);
        _taken = true;
        return _parts.GetAwaiter().GetResult();
    }
}
