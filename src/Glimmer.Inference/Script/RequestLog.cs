using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>What became of a request.</summary>
public enum RequestOutcome
{
    /// <summary>A rule answered.</summary>
    Rule,

    /// <summary>A recording answered.</summary>
    Recording,

    /// <summary>The fallback answered.</summary>
    Fallback,

    /// <summary>A live backend was asked.</summary>
    Live,

    /// <summary>A limit refused it.</summary>
    Limited,

    /// <summary>Nothing of the scenario matched it.</summary>
    Unknown,

    /// <summary>It cannot be rendered, or the reply cannot be written.</summary>
    Invalid,

    /// <summary>Vectors were made.</summary>
    Embedded,
}

/// <summary>A message of a request that was asked.</summary>
/// <param name="Role">The wire's word.</param>
/// <param name="Text">Its text, cut to a bound.</param>
/// <param name="Calls">The functions it calls.</param>
public sealed record LoggedMessage(string Role, string Text, IReadOnlyList<string> Calls);

/// <summary>A request that was asked. Holds no header and no key.</summary>
public sealed class LoggedRequest
{
    /// <summary>Its place in the run, from 1.</summary>
    public long Number { get; internal set; }

    /// <summary>When it came.</summary>
    public DateTimeOffset Time { get; internal set; }

    /// <summary>How it came in; null for a request of this process and for vectors.</summary>
    public RequestOrigin? Origin { get; internal init; }

    /// <summary>Model code.</summary>
    public required string Model { get; init; }

    /// <summary>Messages, the last ones where there are many.</summary>
    public IReadOnlyList<LoggedMessage> Messages { get; internal init; } = [];

    /// <summary>How many messages there were.</summary>
    public int MessageCount { get; internal init; }

    /// <summary>Names of the tools that were offered, the first ones where there are many.</summary>
    public IReadOnlyList<string> Tools { get; internal init; } = [];

    /// <summary>What became of it.</summary>
    public RequestOutcome Outcome { get; internal set; }

    /// <summary>The rule or the limit that answered, or the rule that is nearest to one that nothing matched; null for none.</summary>
    public string? Rule { get; internal set; }

    /// <summary>How that rule's conditions fared, for a request that nothing matched.</summary>
    public IReadOnlyList<PatternCheck> Checks { get; internal set; } = [];

    /// <summary>The error that was answered.</summary>
    public BusinessCode? Code { get; internal set; }

    /// <summary>How the answer ended; null while it goes on, and where there is none.</summary>
    public FinishReason? Finish { get; internal set; }
}

/// <summary>The last requests that were asked, for assertions of tests. Bounded; texts are cut.</summary>
public sealed class RequestLog
{
    /// <summary>Most requests that are kept.</summary>
    public const int MostRequests = 1000;

    private const int MostMessages = 64;
    private const int MostTools = 128;
    private const int LongestText = 4000;
    private readonly TimeProvider _clock;
    private readonly Queue<LoggedRequest> _requests = [];
    private readonly Lock _turn = new();
    private long _count;

    internal RequestLog(TimeProvider clock) => _clock = clock;

    /// <summary>How many requests came since the log was cleared, those that are no longer kept among them.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>The requests that are kept, the oldest first.</summary>
    public IReadOnlyList<LoggedRequest> Requests
    {
        get
        {
            lock (_turn)
                return [.. _requests];
        }
    }

    /// <summary>Notes a chat request.</summary>
    internal LoggedRequest Asked(ChatRequest request)
    {
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        return Add(new LoggedRequest
        {
            Model = Cut(request.Model),
            Origin = request.Origin is { } origin ? origin with { Headers = null, EndUser = origin.EndUser is { } user ? Cut(user) : null } : null,
            MessageCount = messages.Count,
            Messages = [.. messages.Skip(Math.Max(0, messages.Count - MostMessages)).Select(message => new LoggedMessage(
                RequestMatcher.WordOf(message.Role), Cut(RequestMatcher.VisibleText(message)), [.. message.ToolCalls.Take(MostTools).Select(call => Cut(call.Name))]))],
            Tools = [.. request.Conversation.Tools.Take(MostTools).Select(tool => Cut(tool.Name))],
        });
    }

    /// <summary>Notes a request for vectors.</summary>
    internal LoggedRequest Embedded(string model, IReadOnlyList<string> texts) => Add(new LoggedRequest
    {
        Model = Cut(model),
        MessageCount = texts.Count,
        Messages = [.. texts.Take(MostMessages).Select(text => new LoggedMessage("input", Cut(text), []))],
        Outcome = RequestOutcome.Embedded,
    });

    internal void Clear()
    {
        lock (_turn)
        {
            _requests.Clear();
            _count = 0;
        }
    }

    private static string Cut(string text) => text.Length <= LongestText ? text : text[..LongestText] + "…";

    private LoggedRequest Add(LoggedRequest request)
    {
        lock (_turn)
        {
            request.Number = ++_count;
            request.Time = _clock.GetUtcNow();
            if (_requests.Count == MostRequests)
                _requests.Dequeue();
            _requests.Enqueue(request);
        }

        return request;
    }
}
