using System.Text.Json;
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
    /// <summary>Counts a prompt and answers with the count, or with the error.</summary>
    /// <param name="context">The request.</param>
    /// <param name="key">Whose it is.</param>
    /// <param name="asked">What to count, and who counts it; null when it could not be read.</param>
    /// <param name="error">Why it could not.</param>
    /// <param name="write">Writes the members of the answer.</param>
    public async Task AnswerAsync(HttpContext context, AccessKey key, (ModelOffer Offer, ChatRequest Request)? asked, PlatformError? error, Action<Utf8JsonWriter, int> write)
    {
        int count = 0;
        if (asked is { } prompt)
            (count, error) = await CountAsync(context, key, prompt.Offer, async (backend, cancel) => await backend.CountTokensAsync(prompt.Request, cancel));
        if (error is not null)
        {
            await ErrorResponse.WriteAsync(context, error);
            return;
        }

        await JsonResponse.WriteAsync(context, json =>
        {
            json.WriteStartObject();
            write(json, count);
            json.WriteEndObject();
        });
    }

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
