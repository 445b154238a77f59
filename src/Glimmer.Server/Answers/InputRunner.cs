using System.Buffers;
using Glimmer.Inference;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Answers;

/// <summary>A request that costs what it brings: vectors of texts, scores of documents.</summary>
/// <param name="Key">Whose it is.</param>
/// <param name="Model">The model that answers.</param>
/// <param name="Backend">Name of the backend, for logs.</param>
/// <param name="Endpoint">Short name of the endpoint, for usage rows.</param>
/// <param name="RequestId">The client's id; null when it gave none.</param>
/// <param name="EndUser">The client's end user; null when it named none.</param>
internal sealed record InputCall(AccessKey Key, CatalogModel Model, string Backend, string Endpoint, string? RequestId, string? EndUser);

/// <summary>What came of it: <paramref name="Made"/>, or the error.</summary>
internal readonly record struct InputOutcome<T>(T? Made, int Tokens, PlatformError? Error)
    where T : class;

/// <summary>What happens to a request that is charged by its input alone, once it has been read: a place in flight, the backend's work, its charge, the answer.</summary>
internal sealed partial class InputRunner(CallAdmission calls, ILogger<InputRunner> log)
{
    /// <summary>Runs a request to its end.</summary>
    /// <param name="context">The request.</param>
    /// <param name="asked">What is asked.</param>
    /// <param name="make">Does the work.</param>
    /// <param name="write">Writes the answer.</param>
    public async Task RunAsync<T>(HttpContext context, InputCall asked, Func<CancellationToken, Task<InputOutcome<T>>> make, Action<IBufferWriter<byte>, T> write)
        where T : class
    {
        var record = RequestRecord.Of(context);
        record.Model = asked.Model.Code;
        record.Backend = asked.Backend;
        var most = new UsageUnits { Input = (int)Math.Clamp((context.Request.ContentLength ?? 0) / 2, 1, int.MaxValue) };
        CallEntry entry = await calls.EnterAsync(
            new CallRequest(asked.Key, asked.Model, ApiSurface.General, record.Id, most, asked.RequestId, asked.EndUser, asked.Endpoint), context.RequestAborted);
        if (entry.Call is not { } call)
        {
            await ErrorResponse.WriteAsync(context, entry.Error!);
            return;
        }

        using (call)
        {
            InputOutcome<T> outcome;
            try
            {
                outcome = await make(context.RequestAborted);
            }
            catch (Exception fault) when (!context.RequestAborted.IsCancellationRequested)
            {
                Log.BackendFault(log, record.Id, asked.Backend, asked.Endpoint, FaultText.Of(fault));
                outcome = new InputOutcome<T>(null, 0, PlatformError.Of(BusinessCode.Network, record.Id));
            }

            if (outcome.Made is not { } made)
            {
                call.Dispose();
                await ErrorResponse.WriteAsync(context, outcome.Error!);
                return;
            }

            record.Usage = new ChatUsage(outcome.Tokens, 0, 0, 0);
            await call.Settle(new UsageUnits { Input = outcome.Tokens });

            // Before the last byte: whoever has read the answer finds its place free.
            call.Dispose();
            var body = new ArrayBufferWriter<byte>(4096);
            write(body, made);
            await JsonResponse.WriteAsync(context, body);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2201, LogLevel.Error, "Request {RequestId}: the backend {Backend} failed at {Endpoint}: {Fault}")]
        public static partial void BackendFault(ILogger log, string requestId, string backend, string endpoint, string fault);
    }
}
