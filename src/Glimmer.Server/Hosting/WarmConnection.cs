using System.IO.Pipelines;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Connections;

namespace Glimmer.Server.Hosting;

/// <summary>A transport without sockets that brings a server one connection, whose bytes lie ready.</summary>
internal sealed class WarmConnection : IConnectionListenerFactory, IConnectionListener
{
    private readonly Pipe _request = new(), _answer = new();
    private readonly TaskCompletionSource _unbound = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _accepted;

    /// <summary>With what the client says.</summary>
    public WarmConnection(ReadOnlySpan<byte> request)
    {
        request.CopyTo(_request.Writer.GetSpan(request.Length));
        _request.Writer.Advance(request.Length);
    }

    public EndPoint EndPoint { get; } = new IPEndPoint(IPAddress.Loopback, 0);

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(this);

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        if (_accepted)
        {
            await _unbound.Task;
            return null;
        }

        _accepted = true;
        await _request.Writer.FlushAsync(cancellationToken);
        return new Connection(new Duplex(_request.Reader, _answer.Writer), new Duplex(_answer.Reader, _request.Writer));
    }

    /// <summary>Waits until the server has answered wholly and closed the connection; gives what it said.</summary>
    public async Task<string> ReadToEndAsync(CancellationToken cancel)
    {
        while (true)
        {
            ReadResult read = await _answer.Reader.ReadAsync(cancel);
            if (read.IsCompleted)
                return Encoding.UTF8.GetString(read.Buffer);
            _answer.Reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _unbound.TrySetResult();
        return default;
    }

    public ValueTask DisposeAsync() => default;

    /// <summary>As with sockets, what is read of a connection ends when the server gives it back.</summary>
    private sealed class Connection(IDuplexPipe transport, IDuplexPipe application) : DefaultConnectionContext("warm", transport, application)
    {
        private readonly IDuplexPipe _transport = transport;

        public override async ValueTask DisposeAsync()
        {
            await _transport.Input.CompleteAsync();
            await _transport.Output.CompleteAsync();
            await base.DisposeAsync();
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
