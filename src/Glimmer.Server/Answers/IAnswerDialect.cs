using System.Buffers;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Sse;

namespace Glimmer.Server.Answers;

/// <summary>How one dialect says one answer. Made for a request; the runner does the rest, which is the same in every dialect.</summary>
internal interface IAnswerDialect
{
    /// <summary>Media type of a stream.</summary>
    string StreamType => "text/event-stream";

    /// <summary>Whether the client sees the reasoning.</summary>
    bool ShowsReasoning { get; }

    /// <summary>The dialect's word for an end.</summary>
    string WordOf(FinishReason finish);

    /// <summary>Begins a stream.</summary>
    /// <param name="output">Where to.</param>
    IStreamedAnswer Stream(SseWriter output);

    /// <summary>Writes a whole answer as UTF-8.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="message">What was said; reasoning only when it is shown.</param>
    /// <param name="end">How it ended; neither by a fault nor by a cancellation.</param>
    void WriteWhole(IBufferWriter<byte> output, MessageBuilder message, AnswerEnd end);

    /// <summary>Writes several whole answers to one request as UTF-8.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="messages">What each said, at least one.</param>
    /// <param name="end">How they ended, each by itself in <see cref="AnswerEnd.Choices"/> when there are several.</param>
    void WriteWhole(IBufferWriter<byte> output, IReadOnlyList<MessageBuilder> messages, AnswerEnd end) => WriteWhole(output, messages[0], end);

    /// <summary>Hears an event of an answer that is sent whole, when it comes.</summary>
    void Said(in ChatEvent said)
    {
    }

    /// <summary>Keeps what the dialect keeps of an answer. Called once, when its end is written and before its last byte leaves; never for one that failed before its first.</summary>
    ValueTask KeepAsync() => default;
}

/// <summary>How an answer ended.</summary>
/// <param name="Finish">Why.</param>
/// <param name="StopText">The stop text of the request that ended it; null when none did.</param>
/// <param name="Usage">What it cost.</param>
internal readonly record struct AnswerEnd(FinishReason Finish, string? StopText, ChatUsage Usage)
{
    private readonly IReadOnlyList<AnswerEnd>? _choices;

    /// <summary>What a backend that failed said of it; null when there is nothing better than the general error.</summary>
    public PlatformError? Error { get; init; }

    /// <summary>The error to tell, of an answer that was cut off.</summary>
    /// <param name="requestId">The platform's id of the request.</param>
    public PlatformError ErrorFor(string requestId) =>
        Finish == FinishReason.Cancelled ? PlatformError.Of(BusinessCode.Overloaded) : Error ?? PlatformError.Of(BusinessCode.Network, requestId);

    /// <summary>How each of several answers ended; empty when there is one, or when all were cut off.</summary>
    public IReadOnlyList<AnswerEnd> Choices
    {
        get => _choices ?? [];
        init => _choices = value;
    }

    /// <summary>Why one of the answers ended.</summary>
    public FinishReason FinishOf(int choice) => choice < Choices.Count ? Choices[choice].Finish : Finish;
}

/// <summary>An answer on its way to a client, event by event.</summary>
internal interface IStreamedAnswer
{
    /// <summary>Writes what stands before the first event. The prompt's counts are known.</summary>
    void Begin(in ChatUsage usage);

    /// <summary>Writes what an event brings, which may be nothing.</summary>
    void Write(in ChatEvent said);

    /// <summary>Writes the end, whatever the reason: a fault in the middle is told as the dialect can.</summary>
    void End(AnswerEnd end);

    /// <summary>Writes a sign of life while the model is silent, where the dialect has one.</summary>
    void Ping()
    {
    }
}
