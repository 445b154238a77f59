using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Glimmer.Platform.Tasks;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Server.Tasks;

/// <summary>Writes batches and their results as Anthropic says them.</summary>
internal static class MessageBatchWriter
{
    /// <summary>Writes a batch.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="resultsUrl">Where its results are once it has ended.</param>
    public static void Write(Utf8JsonWriter json, TaskBatch batch, string resultsUrl)
    {
        bool ended = batch.Ended is not null;
        json.WriteStartObject();
        json.WriteString("id"u8, batch.Id);
        json.WriteString("type"u8, "message_batch"u8);
        json.WriteString("processing_status"u8, ended ? "ended" : batch.CancelAt is null ? "in_progress" : "canceling");
        json.WriteStartObject("request_counts"u8);
        TaskCounts counts = batch.Counts;

        // All count as processing until the batch has ended.
        json.WriteNumber("processing"u8, ended ? 0 : counts.Open + counts.Succeeded + counts.Failed + counts.Cancelled + counts.Expired);
        json.WriteNumber("succeeded"u8, ended ? counts.Succeeded : 0);
        json.WriteNumber("errored"u8, ended ? counts.Failed : 0);
        json.WriteNumber("canceled"u8, ended ? counts.Cancelled : 0);
        json.WriteNumber("expired"u8, ended ? counts.Expired : 0);
        json.WriteEndObject();
        WriteInstant(json, "ended_at"u8, batch.Ended);
        WriteInstant(json, "created_at"u8, batch.Created);
        WriteInstant(json, "expires_at"u8, batch.Expires);
        json.WriteNull("archived_at"u8);
        WriteInstant(json, "cancel_initiated_at"u8, batch.CancelAt);
        json.WriteString("results_url"u8, ended ? resultsUrl : null);
        json.WriteEndObject();
    }

    /// <summary>Writes one line of the results.</summary>
    public static void WriteResult(IBufferWriter<byte> output, TaskEntry task)
    {
        using (var json = new Utf8JsonWriter(output, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("custom_id"u8, task.Item);
            json.WriteStartObject("result"u8);
            switch (task.State)
            {
                case TaskState.Succeeded:
                    json.WriteString("type"u8, "succeeded"u8);
                    json.WritePropertyName("message"u8);
                    json.WriteRawValue(task.Result, skipInputValidation: true);
                    break;
                case TaskState.Failed:
                    json.WriteString("type"u8, "errored"u8);
                    json.WritePropertyName("error"u8);
                    if (task.Result is { } error)
                        json.WriteRawValue(error, skipInputValidation: true);
                    else
                        DialectErrorWriter.Write(json, WireDialect.Anthropic, PlatformError.Of(BusinessCode.Internal), MessageLanguage.English, task.Id);
                    break;
                case TaskState.Cancelled:
                    json.WriteString("type"u8, "canceled"u8);
                    break;
                default:
                    json.WriteString("type"u8, "expired"u8);
                    break;
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        output.Write("\n"u8);
    }

    private static void WriteInstant(Utf8JsonWriter json, ReadOnlySpan<byte> name, DateTimeOffset? at) =>
        json.WriteString(name, at?.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
}
