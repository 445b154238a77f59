using System.Collections.Concurrent;
using System.Text.Json;
using Glimmer.Platform.Responses;
using Glimmer.Server.Answers;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary>
/// Makes responses while nobody waits. They are kept in the store from the beginning; one whose server stops in the middle cannot be gone on with and
/// is failed for whoever asks afterwards.
/// </summary>
internal sealed partial class BackgroundResponses(ChatRunner runner, ResponseStore store, ResponseHistory history, AnswerDrain drain, TimeProvider time, ILogger<BackgroundResponses> log) : IHostedService
{
    private static readonly TimeSpan TouchEvery = TimeSpan.FromSeconds(15);
    private readonly ConcurrentDictionary<string, Job> _jobs = new(StringComparer.Ordinal);

    /// <summary>Begins to make a response.</summary>
    /// <returns>The response, queued.</returns>
    public async Task<string> StartAsync(HttpContext context, long account, ChatCall call, ResponseHead head, IReadOnlyList<StoredItem> input)
    {
        var record = RequestRecord.Of(context);
        StoredResponse queued = ResponseHistory.Stored(account, head, new ResponseState("queued"), input);
        await store.KeepAsync(queued, isNew: true);
        var job = new Job(account, CancellationTokenSource.CreateLinkedTokenSource(drain.Deadline));
        _jobs[head.Id] = job;
        var detached = new DefaultHttpContext { RequestAborted = job.Stop.Token };
        detached.Request.ContentLength = context.Request.ContentLength;
        detached.Features.Set(new RequestRecord { Id = record.Id, Started = time.GetTimestamp(), Dialect = record.Dialect, KeyId = record.KeyId, Model = record.Model, Backend = record.Backend });
        job.Work = Task.Run(() => RunAsync(detached, job, call, head, input), CancellationToken.None);
        return queued.Body;
    }

    /// <summary>Ends a response in the making.</summary>
    /// <returns>Whether this process makes it.</returns>
    public async Task<bool> CancelAsync(long account, string id)
    {
        if (!_jobs.TryGetValue(id, out Job? job) || job.Account != account)
            return false;
        job.Cancelled = true;
        await job.Stop.CancelAsync();
        await job.Work;
        return true;
    }

    /// <inheritdoc/>
    Task IHostedService.StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Waits until what is in the making has ended, as the drain lets it.</summary>
    Task IHostedService.StopAsync(CancellationToken cancellationToken) => Task.WhenAll(_jobs.Values.Select(static job => job.Work));

    private async Task RunAsync(DefaultHttpContext context, Job job, ChatCall call, ResponseHead head, IReadOnlyList<StoredItem> input)
    {
        using var said = new MemoryStream();
        context.Response.Body = said;
        ResponseState last = new("failed") { Error = ("server_error", "The response could not be made.") };
        var answer = new ResponsesAnswer(head, RequestRecord.Of(context).Id, time, keep: null);
        try
        {
            await store.KeepAsync(ResponseHistory.Stored(job.Account, head, new ResponseState("in_progress"), input), isNew: false);
            Task made = runner.RunAsync(context, call, answer);
            using var timer = new PeriodicTimer(TouchEvery, time);
            while (await Task.WhenAny(made, timer.WaitForNextTickAsync(CancellationToken.None).AsTask()) != made)
                await store.TouchAsync([head.Id]);
            await made;
            last = job.Cancelled ? new ResponseState("cancelled") : answer.State.Status != "in_progress" ? answer.State : Refused(said);
        }
        catch (Exception fault)
        {
            if (job.Cancelled)
                last = new ResponseState("cancelled");
            else
                Log.Failed(log, head.Id, FaultText.Of(fault));
        }

        try
        {
            if (last.Status is "completed" or "incomplete")
                await history.KeepAsync(job.Account, answer, input);
            else
                await store.KeepAsync(ResponseHistory.Stored(job.Account, head, last, input), isNew: false);
        }
        catch (Exception fault)
        {
            Log.NotKept(log, head.Id, FaultText.Of(fault));
        }
        finally
        {
            _jobs.TryRemove(head.Id, out _);
            job.Stop.Dispose();
        }
    }

    /// <summary>The state of a response that ended with an error before its answer, which the runner wrote as it would to a client.</summary>
    private static ResponseState Refused(MemoryStream said)
    {
        string message = "The server is stopping; send the request again.";
        string code = "server_error";
        if (said.Length > 0)
        {
            using JsonDocument body = JsonDocument.Parse(said.ToArray());
            if (body.RootElement.TryGetProperty("error", out JsonElement error))
            {
                message = error.GetProperty("message").GetString() ?? message;
                code = error.GetProperty("code").GetString() is "rate_limit_exceeded" or "insufficient_quota" ? "rate_limit_exceeded" : code;
            }
        }

        return new ResponseState("failed") { Error = (code, message) };
    }

    private sealed class Job(long account, CancellationTokenSource stop)
    {
        public long Account { get; } = account;

        public CancellationTokenSource Stop { get; } = stop;

        public Task Work { get; set; } = Task.CompletedTask;

        public volatile bool Cancelled;
    }

    private static partial class Log
    {
        [LoggerMessage(2201, LogLevel.Error, "Response {ResponseId} failed in the background: {Fault}")]
        public static partial void Failed(ILogger log, string responseId, string fault);

        [LoggerMessage(2202, LogLevel.Error, "Response {ResponseId} was made in the background and could not be kept: {Fault}")]
        public static partial void NotKept(ILogger log, string responseId, string fault);
    }
}
