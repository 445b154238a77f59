using System.Runtime.CompilerServices;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Chat;

/// <summary>Sends an answer as an event stream.</summary>
internal static class ChatStream
{
    /// <summary>While the backend is ahead, so much is written before it is flushed.</summary>
    private const int FlushBytes = 8 << 10;

    /// <summary>
    /// Writes every event and flushes whenever the backend has no further one ready: each token goes out at once for a
    /// client that keeps up, and many together for one that does not. A slow client holds the loop at the flush, not memory.
    /// </summary>
    public static async Task WriteAsync(HttpContext context, AnswerEvents events, CompletionHead head, bool toolStream, bool showReasoning)
    {
        HttpResponse response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        using var output = new SseWriter(response.BodyWriter);
        var chunks = new ChatChunkWriter(output, head, toolStream, showReasoning);
        var record = RequestRecord.Of(context);
        if (!events.HasFirst)
            await response.Body.FlushAsync(context.RequestAborted);
        while (true)
        {
            ValueTask<bool> next = events.MoveNextAsync();
            if ((!next.IsCompleted && output.HasUnflushed) || output.UnflushedBytes >= FlushBytes)
            {
                if (!await FlushAsync(output, context))
                    events.Cancel();
            }

            if (!await next)
                break;
            chunks.Write(events.Current);
        }

        if (context.RequestAborted.IsCancellationRequested)
            return;
        record.Finish = FinishWords.Of(events.Finish);
        chunks.End(record.Finish, events.Usage);
        await FlushAsync(output, context);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<bool> FlushAsync(SseWriter output, HttpContext context)
    {
        try
        {
            return await output.FlushAsync(context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
