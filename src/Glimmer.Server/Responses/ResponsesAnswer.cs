using System.Buffers;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.OpenAI;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.OpenAI;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary>An answer as the Responses API says it.</summary>
/// <param name="head">What is known of it from its beginning.</param>
/// <param name="requestId">Id of the request, for the text of a fault.</param>
/// <param name="time">The clock.</param>
/// <param name="keep">Keeps it when it has ended; null for nobody.</param>
internal sealed class ResponsesAnswer(ResponseHead head, string requestId, TimeProvider time, Func<ResponsesAnswer, ValueTask>? keep) : IAnswerDialect
{
    /// <summary>What is known of it from its beginning.</summary>
    public ResponseHead Head => head;

    /// <summary>Where it is; final once it has ended.</summary>
    public ResponseState State { get; private set; } = new("in_progress");

    /// <summary>Where its stream was cut into pieces; null when it was none.</summary>
    public StreamMarks? Marks { get; set; }

    /// <inheritdoc/>
    public bool ShowsReasoning => head.ShowsReasoning;

    /// <inheritdoc/>
    public string WordOf(FinishReason finish) => ChatFinishWords.Of(finish);

    /// <inheritdoc/>
    public IStreamedAnswer Stream(SseWriter output) =>
        new ResponsesStream(new ResponseEvents(new SseEventOutput(output)) { Marks = head.Request.Store == false && !head.Stored ? null : new StreamMarks(begun: 1) }, this, output.WritePing);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, MessageBuilder message, AnswerEnd end)
    {
        bool complete = IsComplete(end.Finish);
        var items = new List<OutputItem>();
        IReadOnlyList<SaidCall> calls = message.Calls;
        if (message.Reasoning is { } reasoning)
            items.Add(Reasoning(ResponseIds.New("rs"), reasoning, complete || message.Content is not null || calls.Count > 0));
        if (message.Content is not null || calls.Count == 0)
            items.Add(new MessageOutput(ResponseIds.New("msg"), message.Content ?? "", message.Tokens) { Complete = complete || calls.Count > 0 });
        for (int i = 0; i < calls.Count; i++)
            items.Add(Call(calls[i].Name, calls[i].Arguments) with { Complete = complete || i < calls.Count - 1 });
        Finish(items, end);
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        head.Write(json, State);
    }

    /// <inheritdoc/>
    public ValueTask KeepAsync() => keep?.Invoke(this) ?? default;

    /// <summary>Sets the final state.</summary>
    public void Finish(IReadOnlyList<OutputItem> items, AnswerEnd end) => State = end.Finish switch
    {
        FinishReason.Stop or FinishReason.ToolCalls => new ResponseState("completed") { Output = items, Usage = end.Usage, Completed = time.GetUtcNow() },
        FinishReason.Length or FinishReason.ContextWindow => new ResponseState("incomplete") { Output = items, Usage = end.Usage, Incomplete = "max_output_tokens" },
        FinishReason.Sensitive => new ResponseState("incomplete") { Output = items, Usage = end.Usage, Incomplete = "content_filter" },
        _ => Failed(items, end.ErrorFor(requestId)),
    };

    /// <summary>Whether an end leaves everything complete.</summary>
    public static bool IsComplete(FinishReason finish) => finish is FinishReason.Stop or FinishReason.ToolCalls;

    /// <summary>A piece of reasoning as an item.</summary>
    public ReasoningOutput Reasoning(string id, string text, bool complete) =>
        new(id, text, head.Request.ReasoningAsSummary, head.Seal?.Invoke(text)) { Complete = complete };

    /// <summary>A call as an item.</summary>
    /// <param name="name">The name that the model sees.</param>
    /// <param name="arguments">JSON text of its arguments; empty while it has none.</param>
    public CallOutput Call(string name, string arguments)
    {
        bool custom = head.Request.Custom.Contains(name);
        return new CallOutput(
            ResponseIds.New(custom ? "ctc" : "fc"), RequestIds.NewCallId(), name, custom ? CustomInput.Of(arguments) : arguments,
            head.Request.Namespaces.TryGetValue(name, out NamespacedName? place) ? place : null)
        {
            IsCustom = custom,
        };
    }

    /// <summary>The response in a state, as JSON text.</summary>
    public static string BodyOf(ResponseHead head, ResponseState state)
    {
        var body = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
            head.Write(json, state);
        return Encoding.UTF8.GetString(body.WrittenSpan);
    }

    private static ResponseState Failed(IReadOnlyList<OutputItem> items, PlatformError error) => new("failed") { Output = items, Error = ("server_error", error.Message) };
}
