using System.Text.Json;

namespace Glimmer.Inference.Remote;

/// <summary>A run of tokens that an engine has begun: its stream, and how long it may be silent. Belongs to one answer.</summary>
internal sealed class EngineRun : IDisposable
{
    private readonly IEngineProtocol _protocol;
    private readonly TokenBytes _vocabulary;
    private readonly EngineEvents _events;
    private readonly CancellationTokenSource _clock;
    private readonly TimeSpan _stall;
    private readonly List<int> _received = [];
    private bool _isClosed;

    /// <summary>A run that was accepted.</summary>
    /// <param name="protocol">How the engine is read.</param>
    /// <param name="vocabulary">The model's vocabulary.</param>
    /// <param name="events">Its stream.</param>
    /// <param name="clock">Runs out when the engine has been silent for too long; begun when it was asked.</param>
    /// <param name="stall">How long it may be silent after its first token.</param>
    public EngineRun(IEngineProtocol protocol, TokenBytes vocabulary, EngineEvents events, CancellationTokenSource clock, TimeSpan stall)
    {
        _protocol = protocol;
        _vocabulary = vocabulary;
        _events = events;
        _clock = clock;
        _stall = stall;
    }

    /// <summary>Tokens received.</summary>
    public int Received => _received.Count;

    /// <summary>Reads the next event; false when the stream has ended.</summary>
    /// <exception cref="EngineException">The engine broke off, was silent for too long, or sent what it must not.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Abort"/> was called.</exception>
    public async ValueTask<bool> ReadAsync(EngineChunk chunk, CancellationToken cancel)
    {
        chunk.Clear();
        ReadOnlyMemory<byte>? data;
        try
        {
            data = await _events.NextAsync(_clock.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException fault)
        {
            cancel.ThrowIfCancellationRequested();
            throw EngineException.Failed(_received.Count == 0 ? "The engine said no first token in time." : "The engine fell silent in the middle of the answer.", fault);
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException or ObjectDisposedException)
        {
            cancel.ThrowIfCancellationRequested();
            throw EngineException.Failed("The engine broke off in the middle of the answer.", fault);
        }

        if (data is not { } json || json.Span.SequenceEqual("[DONE]"u8))
            return false;
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            _protocol.Read(document.RootElement, _received, _vocabulary, chunk);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException or FormatException or OverflowException or KeyNotFoundException or IndexOutOfRangeException)
        {
            throw EngineException.Failed($"The engine sent an event that is none of its protocol: {EngineTransport.OneLine(fault.Message)}", fault);
        }

        foreach (EngineToken token in chunk.Tokens)
            _received.Add(token.Id);
        if (chunk.Tokens.Count > 0)
            _clock.CancelAfter(_stall);
        return true;
    }

    /// <summary>Gives the engine a little time to end by itself, so that it tells its counts and the connection can be used again.</summary>
    /// <param name="patience">How long.</param>
    public void EndWithin(TimeSpan patience) => _clock.CancelAfter(patience);

    /// <summary>Ends the wait for the engine; may be called from anywhere.</summary>
    public void Abort()
    {
        lock (_clock)
        {
            if (!_isClosed)
                _clock.Cancel();
        }
    }

    /// <summary>Closes the stream: an engine that is not done stops.</summary>
    public void Dispose()
    {
        lock (_clock)
        {
            if (_isClosed)
                return;
            _isClosed = true;
        }

        _events.Dispose();
        _clock.Dispose();
    }
}
