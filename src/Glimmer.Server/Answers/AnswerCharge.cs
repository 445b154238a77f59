using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Platform.Admission;
using Glimmer.Server.Tasks;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Answers;

/// <summary>
/// Charges an answer once. Made and delivered, wholly or in part: its exact units. Nothing made, or nothing delivered through a fault of
/// this side: nothing. With the charge the call's place in flight is free, before the last byte leaves: whoever has read an answer to its end
/// finds it free.
/// </summary>
internal sealed partial class AnswerCharge(AdmittedCall call, RequestRecord record, ILogger log, TaskCall? task = null)
{
    private bool _closed;

    /// <summary>Gives everything back: the client gets nothing for it.</summary>
    public void Forgo()
    {
        _closed = true;
        call.Dispose();
    }

    /// <summary>Charges what was used, unless it was closed before; completes when the record is durable.</summary>
    public async Task CloseAsync(ChatUsage usage, FinishReason finish)
    {
        if (_closed)
            return;
        _closed = true;
        using AdmittedCall ended = call;   // what is not settled below is given back with its place
        bool cutOff = finish is FinishReason.BackendFault or FinishReason.Cancelled;

        // A task that is cut off is given up or run again from its beginning.
        if (cutOff && (record.FirstEvent == 0 || task is not null))
            return;
        if (task is { IsCharged: true } || (task is not null && !await task.Confirm()))
            return;

        try
        {
            await call.Settle(CallUnits.Of(usage), finish is FinishReason.BackendFault, once: task is not null);
        }
        catch (Exception fault)
        {
            // The ledger has taken the charge back; the answer was made, so the client gets its end.
            Log.NotStored(log, record.Id, FaultText.Of(fault));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2003, LogLevel.Error, "Request {RequestId}: its usage could not be stored and was not charged: {Fault}")]
        public static partial void NotStored(ILogger log, string requestId, string fault);
    }
}
