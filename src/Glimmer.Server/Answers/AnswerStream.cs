using System.Runtime.CompilerServices;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Answers;

/// <summary>Sends an answer as it is made.</summary>
internal static class AnswerStream
{
    /// <summary>While the backend is ahead, so much is written before it is flushed.</summary>
    private const int FlushBytes = 8 << 10;

    /// <summary>A long prompt keeps the model silent; so often a dialect that can says that it is still there.</summary>
    private static readonly TimeSpan PingAfter = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Writes every event and flushes whenever the backend has no further one ready: each token goes out at once for a
    /// client that keeps up, and many together for one that does not. A slow client holds the loop at the flush, not memory.
    /// </summary>
    public static async Task WriteAsync(HttpContext context, AnswerEvents events, AnswerCharge charge, IAnswerDialect dialect)
    {
        HttpResponse response = context.Response;
        response.ContentType = dialect.StreamType;
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        using var output = new SseWriter(response.BodyWriter);
        IStreamedAnswer answer = dialect.Stream(output);
        var record = RequestRecord.Of(context);
        if (!events.HasFirst)
        {
            await response.Body.FlushAsync(context.RequestAborted);
            while (!await events.WaitForFirstAsync(PingAfter))
            {
                answer.Ping();
                if (output.HasUnflushed && !await FlushAsync(output, context))
                    events.Cancel();
            }
        }

        bool begun = false;
        while (true)
        {
            ValueTask<bool> next = events.MoveNextAsync();
            if ((!next.IsCompleted && output.HasUnflushed) || output.UnflushedBytes >= FlushBytes)
            {
                if (!await FlushAsync(output, context))
                    events.Cancel();
            }

            bool any = await next;
            if (!begun)
            {
                begun = true;
                answer.Begin(events.Usage);
            }

            if (!any)
                break;
            answer.Write(events.Current);
        }

        if (context.RequestAborted.IsCancellationRequested)
            return;
        record.Finish = dialect.WordOf(events.Finish);

        // The record is durable before the last byte leaves; what was said before goes out meanwhile.
        Task charged = charge.CloseAsync(events.Usage, events.Finish);
        if (!charged.IsCompleted && output.HasUnflushed)
            await FlushAsync(output, context);
        await charged;
        answer.End(events.End);
        await dialect.KeepAsync();
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
