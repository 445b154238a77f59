using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Glimmer.Server.Transport;

/// <summary>
/// HTTP/2 without TLS beside HTTP/1.1 on one port (RFC 9113 §3.3): a connection that begins with the preface of HTTP/2 is HTTP/2. Kestrel decides by what TLS has
/// negotiated, so that is what it is told; nothing else depends on it, and requests keep the scheme that they name.
/// </summary>
internal static class PriorKnowledge
{
    /// <summary>How long a connection may say nothing.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(130);

    /// <summary>No method of HTTP/1.1 begins so.</summary>
    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0"u8;

    /// <summary>Looks at the first bytes of a connection and goes on.</summary>
    public static ConnectionDelegate Use(ConnectionDelegate next) => async connection =>
    {
        if (await IsHttp2Async(connection) is not { } isHttp2)
            return;
        if (isHttp2)
        {
            var negotiated = new Negotiated();
            connection.Features.Set<ITlsConnectionFeature>(negotiated);
            connection.Features.Set<ITlsApplicationProtocolFeature>(negotiated);
        }

        await next(connection);
    };

    /// <summary>Whether the first bytes are the preface; null when the connection ends before that is known. Nothing is taken from the connection.</summary>
    private static async ValueTask<bool?> IsHttp2Async(ConnectionContext connection)
    {
        PipeReader input = connection.Transport.Input;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(
            connection.ConnectionClosed, connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None);
        ended.CancelAfter(Patience);
        try
        {
            while (true)
            {
                ReadResult read = await input.ReadAsync(ended.Token);
                bool? known = read.Buffer.IsEmpty ? null : Compare(read.Buffer);
                if (known is not null || read.IsCompleted)
                {
                    input.AdvanceTo(read.Buffer.Start);
                    return known ?? false;
                }

                input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            }
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException or ConnectionAbortedException)
        {
            return null;
        }
    }

    /// <summary>Whether the bytes begin the preface wholly; null while they may.</summary>
    private static bool? Compare(in ReadOnlySequence<byte> buffer)
    {
        Span<byte> first = stackalloc byte[Preface.Length];
        int length = (int)Math.Min(buffer.Length, first.Length);
        buffer.Slice(0, length).CopyTo(first);
        return !first[..length].SequenceEqual(Preface[..length]) ? false : length == Preface.Length ? true : null;
    }

    private sealed class Negotiated : ITlsConnectionFeature, ITlsApplicationProtocolFeature
    {
        public X509Certificate2? ClientCertificate { get; set; }

        public ReadOnlyMemory<byte> ApplicationProtocol { get; } = "h2"u8.ToArray();

        public Task<X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) => Task.FromResult<X509Certificate2?>(null);
    }
}
