using System.Globalization;
using System.Text;
using System.Text.Json;
using Glimmer.Platform.Responses;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary>
/// Streams a response that is kept, from any of its events on: one that this node makes from memory, one that another makes from the store, and one
/// that has ended from what it became. Who reads has no part in the response: it goes on without him.
/// </summary>
internal sealed class ResponseFollower(ResponseHistory history, ResponseTasks tasks, LiveResponses live, AnswerDrain drain, TimeProvider time)
{
    private const int Page = 256;
    private static readonly TimeSpan _pingAfter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _soon = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan _later = TimeSpan.FromSeconds(1);
    private readonly ResponseHistory _history = history;
    private readonly ResponseTasks _tasks = tasks;
    private readonly LiveResponses _live = live;
    private readonly TimeProvider _time = time;

    /// <summary>What a request for the stream of a kept response asks.</summary>
    /// <returns>Number of the last event that the client knows, null when it asks for no stream; or what is wrong.</returns>
    public static (long? After, PlatformError? Error) Read(IQueryCollection query)
    {
        string stream = query["stream"].ToString(), after = query["starting_after"].ToString();
        if (stream is not ("" or "true" or "false" or "1" or "0"))
            return (null, PlatformError.Invalid("stream", "it is neither true nor false", "Use true or false"));
        bool streams = stream is "true" or "1";
        if (after.Length == 0)
            return (streams ? -1 : null, null);
        if (!streams)
            return (null, PlatformError.Invalid("starting_after", "it counts for streams only", "Send stream=true with it"));
        return long.TryParse(after, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? (number, null)
            : (null, PlatformError.Invalid("starting_after", "it is no number of an event", "Use the sequence_number of the last event that was received"));
    }

    /// <summary>Streams a response to its end.</summary>
    /// <param name="context">The request.</param>
    /// <param name="response">The response.</param>
    /// <param name="after">Number of the last event that the client knows; −1 for none.</param>
    public async Task FollowAsync(HttpContext context, StoredResponse response, long after)
    {
        if (!_live.TryEnter(response.Account))
        {
            await ErrorResponse.WriteAsync(context, PlatformError.Of(BusinessCode.ConcurrencyExceeded));
            return;
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Deadline);
        try
        {
            RequestRecord.Of(context).Stream = true;
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-cache";
            context.Response.Headers["X-Accel-Buffering"] = "no";
            using var output = new SseWriter(context.Response.BodyWriter);
            await new Reading(this, context, output, response.Account, response.Id, after, ended.Token).RunAsync(response);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // Whoever left, or was sent away by a server that stops, comes again with the number of his last event.
        }
        finally
        {
            _live.Leave(response.Account);
        }
    }

    /// <summary>The response as it is told: one that will not come to its end has failed.</summary>
    public static JsonElement BodyOf(StoredResponse response) => ResponseHistory.Parse(BackgroundResponses.BodyOf(response));

    /// <summary>One reader.</summary>
    private sealed class Reading(ResponseFollower owner, HttpContext context, SseWriter output, long account, string id, long known, CancellationToken cancel)
    {
        private readonly List<byte[]> _page = [];
        private long _known = known;
        private long _spoke = owner._time.GetTimestamp();

        public async Task RunAsync(StoredResponse first)
        {
            StoredResponse? response = first;
            if (first.IsOpen && BodyOf(first) is var begun)
            {
                ResponseReplay.WriteQueued(new ResponseEvents(new SseEventOutput(output), _known), begun);
                _known = Math.Max(_known, ResponseReplay.BeforeRuns - 1);
                await FlushAsync();
            }

            while (true)
            {
                if (owner._live.Find(id) is { } made)
                {
                    if (await FromMemoryAsync(made))
                        return;
                    response = await LookAsync(response);
                }
                else if (response is { IsOpen: true })
                {
                    if (!await FromStoreAsync())
                        response = await LookAsync(response);
                }
                else
                {
                    if (response is null)
                        WriteGone();
                    else
                        ResponseReplay.Write(new ResponseEvents(new SseEventOutput(output), _known), response, BodyOf(response));
                    await FlushAsync();
                    return;
                }
            }
        }

        /// <summary>Reads a response that this node makes, until it is no longer made here.</summary>
        /// <returns>Whether that was its end.</returns>
        private async Task<bool> FromMemoryAsync(LiveResponse made)
        {
            while (true)
            {
                _page.Clear();
                (_known, Task changed, bool closed) = made.Read(_known, _page, Page);
                foreach (byte[] one in _page)
                    output.WriteRaw(one);
                await FlushAsync();
                if (closed)
                    return made.IsKept;
                await WaitAsync(changed, _pingAfter);
            }
        }

        /// <summary>Reads what another node has written since, then waits a while.</summary>
        /// <returns>Whether the response is still being made.</returns>
        private async Task<bool> FromStoreAsync()
        {
            Task begun = owner._live.Begun;
            bool more;
            do
            {
                (bool open, IReadOnlyList<(long Number, string Body)> events) = await PresentAsync(() => owner._tasks.EventsAsync(account, id, _known, cancel), (true, []));
                if (!open)
                    return false;
                foreach ((long number, string body) in events)
                    WriteEvents(number, body);
                await FlushAsync();
                more = events.Count > 0;
            }
            while (more);
            if (owner._live.Find(id) is null)
                await WaitAsync(begun, owner._time.GetElapsedTime(_spoke) < _later + _later ? _soon : _later);
            return true;
        }

        private async Task<StoredResponse?> LookAsync(StoredResponse? response) => await PresentAsync(async () => await owner._history.FindAsync(account, id), response);

        /// <summary>While the database is away nothing is new: what there is to tell is there when it is back.</summary>
        private static async Task<T> PresentAsync<T>(Func<Task<T>> read, T otherwise)
        {
            try
            {
                return await read();
            }
            catch (Exception fault) when (PlatformStore.IsAbsence(fault))
            {
                return otherwise;
            }
        }

        private void WriteEvents(long number, string body)
        {
            for (int at = 0; at < body.Length; number++)
            {
                int end = body.IndexOf("\n\n", at, StringComparison.Ordinal) + 2;
                if (number > _known)
                {
                    output.WriteRaw(Encoding.UTF8.GetBytes(body[at..end]));
                    _known = number;
                }

                at = end;
            }
        }

        private void WriteGone()
        {
            Utf8JsonWriter json = output.BeginEvent("error"u8);
            json.WriteStartObject();
            json.WriteString("type"u8, "error"u8);
            json.WriteNumber("sequence_number"u8, _known + 1);
            json.WriteString("code"u8, "server_error"u8);
            json.WriteString("message"u8, "The response was deleted.");
            json.WriteNull("param"u8);
            json.WriteEndObject();
            output.EndEvent();
        }

        /// <summary>Waits for something or for a while, and gives a sign of life now and then.</summary>
        private async Task WaitAsync(Task something, TimeSpan most)
        {
            await something.WaitAsync(most, owner._time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancel.ThrowIfCancellationRequested();
            if (owner._time.GetElapsedTime(_spoke) >= _pingAfter)
            {
                output.WritePing();
                await FlushAsync();
            }
        }

        private async Task FlushAsync()
        {
            if (!output.HasUnflushed)
                return;
            _spoke = owner._time.GetTimestamp();
            if (!await output.FlushAsync(cancel))
                throw new OperationCanceledException(context.RequestAborted);
        }
    }
}
