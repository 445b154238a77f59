using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary>Chat whose answer is fetched later (spec: api.md §7).</summary>
public sealed class AsyncChatClient
{
    private readonly Transport _transport;
    private readonly TimeProvider _time;

    internal AsyncChatClient(Transport transport, TimeProvider time)
    {
        _transport = transport;
        _time = time;
    }

    /// <summary>Hands a request in.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="cancel">Ends the call, not the task.</param>
    public Task<AsyncTask> SubmitAsync(CompletionRequest request, CancellationToken cancel = default) =>
        _transport.CallAsync("/async/chat/completions", ChatClient.Body(request, stream: null), ClientJson.Default.AsyncTask, cancel);

    /// <summary>How a task stands: <see cref="Completion.TaskStatus"/> tells, and on success the answer is there.</summary>
    /// <param name="id">Id of the task.</param>
    /// <param name="cancel">Ends the call.</param>
    public Task<Completion> GetAsync(string id, CancellationToken cancel = default) =>
        _transport.CallAsync($"/async-result/{Uri.EscapeDataString(id)}", null, ClientJson.Default.Completion, cancel);

    /// <summary>Asks until a task is done.</summary>
    /// <param name="id">Id of the task.</param>
    /// <param name="interval">Time between two questions; null for one second.</param>
    /// <param name="cancel">Ends the waiting.</param>
    /// <exception cref="GlimmerServerException">The task failed.</exception>
    public async Task<Completion> WaitAsync(string id, TimeSpan? interval = null, CancellationToken cancel = default)
    {
        while (true)
        {
            Completion state = await GetAsync(id, cancel).ConfigureAwait(false);
            if (string.Equals(state.TaskStatus, "SUCCESS", StringComparison.OrdinalIgnoreCase))
                return state;
            if (!string.Equals(state.TaskStatus, "PROCESSING", StringComparison.OrdinalIgnoreCase))
                throw new GlimmerServerException($"The task {id} ended as {state.TaskStatus ?? "unknown"}.") { RequestId = state.RequestId };
            await Task.Delay(interval ?? TimeSpan.FromSeconds(1), _time, cancel).ConfigureAwait(false);
        }
    }
}

/// <summary>A task that was handed in.</summary>
public sealed record AsyncTask : WireObject
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Id of the request.</summary>
    public string? RequestId { get; init; }

    /// <summary>Model code.</summary>
    public string? Model { get; init; }

    /// <summary><c>PROCESSING</c>, <c>SUCCESS</c> or <c>FAIL</c>.</summary>
    public string? TaskStatus { get; init; }
}
