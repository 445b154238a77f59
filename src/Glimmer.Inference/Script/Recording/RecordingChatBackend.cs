using System.Diagnostics;
using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>
/// Asks another backend and keeps what it said in a file, to be said again without it. A question that the file knows is answered from it; each other one is asked
/// once. Answers that were cut off by their client are not kept.
/// </summary>
/// <param name="inner">The backend that is asked.</param>
/// <param name="file">Where answers are kept.</param>
public sealed class RecordingChatBackend(IChatBackend inner, RecordingFile file) : IChatBackend
{
    /// <inheritdoc/>
    public string Name => inner.Name;

    /// <inheritdoc/>
    public IReadOnlyList<string> Models => inner.Models;

    /// <inheritdoc/>
    public bool IsReady => inner.IsReady;

    /// <inheritdoc/>
    public bool TakesRawPrompts => inner.TakesRawPrompts;

    /// <inheritdoc/>
    public async ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        string fingerprint = RequestFingerprint.Of(request);
        if (file.Find(fingerprint) is { } known)
            return Start(known, pace: null, ended: null);
        long start = Stopwatch.GetTimestamp();
        ChatStart begun = await inner.StartAsync(request, cancel);
        Recording recording = new() { Fingerprint = fingerprint, Summary = Summarise(request) };
        if (begun.Answer is { } answer)
            return begun with { Answer = new Recorder(answer, recording, file, start) };
        file.Add(recording with { Refused = begun.Error, Fault = begun.Fault });
        return begun;
    }

    /// <inheritdoc/>
    public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel) => inner.CountTokensAsync(request, cancel);

    /// <summary>Says a recording again.</summary>
    internal static ChatStart Start(Recording recording, TimeProvider? pace, Action<FinishReason>? ended) => recording.Refused is { } refused
        ? new ChatStart(null, refused) { Fault = recording.Fault }
        : new ChatStart(new RecordedAnswer(recording, pace, ended), null);

    /// <summary>What was asked, in a line for people.</summary>
    private static string Summarise(ChatRequest request)
    {
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        string last = messages is [.., { } message] ? $"; {RequestMatcher.WordOf(message.Role)}: {RequestMatcher.Show(RequestMatcher.VisibleText(message))}" : "";
        string tools = request.Conversation.Tools.Count > 0 ? $"; tools {string.Join(", ", request.Conversation.Tools.Take(8).Select(tool => tool.Name))}" : "";
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{request.Model}; {messages.Count} messages{last}{tools}");
    }

    /// <summary>An answer that is passed on and remembered.</summary>
    private sealed class Recorder(IChatAnswer inner, Recording recording, RecordingFile file, long start) : IChatAnswer
    {
        public FinishReason Finish => inner.Finish;

        public ChatUsage Usage => inner.Usage;

        public string? StopText => inner.StopText;

        public PlatformError? Error => inner.Error;

        public IReadOnlyList<Relaxation> Relaxations => inner.Relaxations;

        public int CountRepairs(Repairs kind) => inner.CountRepairs(kind);

        public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
        {
            List<RecordedEvent> said = [];
            await foreach (ChatEvent one in inner.ReadAsync(cancel).ConfigureAwait(false))
            {
                said.Add(new RecordedEvent(one, (int)Math.Min(int.MaxValue, Stopwatch.GetElapsedTime(start).TotalMilliseconds)));
                yield return one;
            }

            if (inner.Finish != FinishReason.Cancelled)
                file.Add(recording with { Events = said, Finish = inner.Finish, Usage = inner.Usage, StopText = inner.StopText, Error = inner.Error });
        }
    }
}
