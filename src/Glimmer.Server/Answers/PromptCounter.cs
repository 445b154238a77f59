using Glimmer.Inference;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Answers;

/// <summary>Counts prompts without answering them, in every dialect. A count takes a place in flight: rendering a long history is work too.</summary>
internal sealed partial class PromptCounter(ICallerPolicy callers, IAdmission admission, ILogger<PromptCounter> log)
{
    /// <summary>Counts in a place in flight.</summary>
    /// <param name="context">The request.</param>
    /// <param name="key">Whose it is.</param>
    /// <param name="offer">The model and its backend.</param>
    /// <param name="count">What to count.</param>
    /// <returns>The count, or the error when there is none.</returns>
    public async Task<(T? Count, PlatformError? Error)> CountAsync<T>(HttpContext context, AccessKey key, ModelOffer offer, Func<IChatBackend, CancellationToken, Task<T>> count)
    {
        var record = RequestRecord.Of(context);
        IChatBackend backend = offer.Route.Backend;
        AdmissionResult admitted = await admission.EnterAsync(new AdmissionRequest(key, offer.Model.Code) { Account = callers.Find(key).AccountId }, context.RequestAborted);
        if (admitted.Lease is not { } lease)
            return (default, admitted.Error);
        using (lease)
        {
            try
            {
                T counted = await count(backend, context.RequestAborted);
                offer.WriteStandIn(context.Response);
                return (counted, null);
            }
            catch (ChatRequestException refused)
            {
                return (default, refused.Error);
            }
            catch (Exception fault) when (!context.RequestAborted.IsCancellationRequested)
            {
                Log.BackendFault(log, record.Id, backend.Name, FaultText.Of(fault));
                return (default, PlatformError.Of(BusinessCode.Network, record.Id));
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2002, LogLevel.Error, "Request {RequestId}: the backend {Backend} failed to count tokens: {Fault}")]
        public static partial void BackendFault(ILogger log, string requestId, string backend, string fault);
    }
}
