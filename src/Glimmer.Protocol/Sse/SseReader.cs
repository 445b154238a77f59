using System.Buffers;
using System.Runtime.CompilerServices;

namespace Glimmer.Protocol.Sse;

/// <summary>Reads the events of a response body.</summary>
public static class SseReader
{
    /// <summary>
    /// The events of a stream, each as soon as its empty line has arrived, up to the end of the stream. <c>[DONE]</c> is
    /// an event like others: see <see cref="SseEvent.IsDone"/>.
    /// </summary>
    /// <param name="body">The body; it stays the caller's.</param>
    /// <param name="maxEventBytes">Largest line or event.</param>
    /// <param name="cancel">Ends the reading with an exception.</param>
    /// <exception cref="InvalidDataException">A line or an event is larger than allowed.</exception>
    public static async IAsyncEnumerable<SseEvent> ReadAsync(
        Stream body, int maxEventBytes = 64 << 20, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var decoder = new SseDecoder(maxEventBytes);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(16 << 10);
        try
        {
            while (true)
            {
                int read = await body.ReadAsync(buffer, cancel);
                if (read == 0)
                    decoder.Complete();
                else
                    decoder.Append(buffer.AsSpan(0, read));
                while (decoder.TryRead(out SseEvent next))
                    yield return next;
                if (read == 0)
                    yield break;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
