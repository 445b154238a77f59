using Glimmer.Platform.Accounts;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Tasks;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Chat;
using Glimmer.Server.Messages;
using Glimmer.Server.Responses;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Tasks;

/// <summary>
/// Runs a task as the request that it stands for, through the endpoint that would have answered it: same checks, same admission, same charge,
/// same bytes. The task's id is the request's, so that the ledger knows a run that was charged before its node died.
/// </summary>
internal sealed partial class EndpointWork(ChatEndpoint chat, MessagesEndpoint messages, ResponsesEndpoint responses, AccountDirectory accounts, TaskQueue queue, TimeProvider time, ILogger<EndpointWork> log) : ITaskWork
{
    /// <inheritdoc/>
    public async Task<TaskOutcome> RunAsync(TaskRun run, Func<Task<bool>> confirm, CancellationToken cancel)
    {
        // :: Step 1: the request.
        bool charged = run.IsRepeat && await queue.WasChargedAsync(accounts.Find(run.Account)?.PublicId ?? "", run.Id, run.Created);
        (string path, Func<HttpContext, Task> endpoint) = run.Kind switch
        {
            TaskKinds.Chat => ("/api/paas/v4/chat/completions", (Func<HttpContext, Task>)(context => chat.HandleAsync(context, ApiSurface.General))),
            TaskKinds.Messages => ("/api/anthropic/v1/messages", messages.HandleAsync),
            TaskKinds.Responses => ("/v1/responses", context => responses.RunAsync(context, run)),
            _ => throw new InvalidOperationException($"No work is known for tasks of the kind {run.Kind}."),
        };
        var record = new RequestRecord { Id = run.Id, Started = time.GetTimestamp(), Dialect = WireDialects.Of(path), Route = path };
        using var answer = new KeptAnswer();
        var context = new DefaultHttpContext { RequestAborted = cancel };
        context.Features.Set(record);
        context.Features.Set(new TaskCall(run.Key, charged, confirm));
        context.Request.Method = HttpMethods.Post;
        context.Request.Path = path;
        context.Request.ContentType = "application/json";
        context.Request.ContentLength = run.Body.Length;
        context.Request.Body = new MemoryStream(run.Body, writable: false);
        context.Response.Body = answer;

        // :: Step 2: the answer.
        await endpoint(context);
        int status = context.Response.StatusCode;
        Log.Ran(
            log, run.Id, run.Kind, run.Attempt, status, (int?)record.Code ?? 0, record.Field, record.KeyId, record.Model, record.Backend, record.Finish,
            record.Usage.PromptTokens, record.Usage.CachedTokens, record.Usage.CompletionTokens, Math.Round(time.GetElapsedTime(record.Started).TotalMilliseconds, 1));
        if (answer.Length == 0)
        {
            cancel.ThrowIfCancellationRequested();
            throw new InvalidOperationException("The endpoint gave no answer.");
        }

        TaskOutcome outcome = OutcomeOf(run, status, record.Code, answer.ToArray());
        if (run.Kind != TaskKinds.Responses)
            return outcome;

        // Its result stands where it is asked for.
        if (outcome.State == TaskState.Failed)
            await responses.FailAsync(run, outcome.Result!);
        return outcome with { Result = null };
    }

    private TaskOutcome OutcomeOf(TaskRun run, int status, BusinessCode? code, byte[] body)
    {
        if (status == StatusCodes.Status200OK)
            return new TaskOutcome(TaskState.Succeeded, status, 0, body);

        // A place that was not free, or a model that is still loading, passes: the task's own deadline bounds the tries.
        if (code is BusinessCode.Overloaded or BusinessCode.ModelBusy or BusinessCode.ConcurrencyExceeded or BusinessCode.FrequencyExceeded)
            return new TaskOutcome(TaskState.Queued);
        bool isFault = status >= 500 || code is BusinessCode.Network;
        return isFault && run.Faults + 1 < queue.Settings.MaxFaults
            ? new TaskOutcome(TaskState.Queued) { IsFault = true }
            : new TaskOutcome(TaskState.Failed, status, (int?)code ?? 0, body);
    }

    /// <summary>Keeps an answer whose request was given up while it was written: it has been charged.</summary>
    private sealed class KeptAnswer : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Write(buffer.Span);
            return default;
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        {
            Write(buffer, offset, count);
            return Task.CompletedTask;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2301, LogLevel.Information, "Task {TaskId} {Kind} attempt={Attempt} {Status} code={Code} field={Field} key={KeyId} model={Model} backend={Backend} finish={Finish} prompt={PromptTokens} cached={CachedTokens} completion={CompletionTokens} ms={Ms}")]
        public static partial void Ran(
            ILogger log, string taskId, string kind, long attempt, int status, int code, string field, string keyId, string model, string backend, string finish,
            int promptTokens, int cachedTokens, int completionTokens, double ms);
    }
}
