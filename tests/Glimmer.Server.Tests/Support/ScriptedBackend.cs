using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Inference;
using Glimmer.Inference.Embedded;
using Glimmer.Protocol.Errors;

namespace Glimmer.Server.Tests.Support;

/// <summary>A backend that says what a test tells it to.</summary>
internal sealed class ScriptedBackend(params string[] models) : IChatBackend, IEngineReport
{
    public EngineStatistics? EngineStatistics { get; set; }

    private int _active;

    public string Name { get; init; } = "script";

    public IReadOnlyList<string> Models { get; } = models;

    public bool IsReady { get; set; } = true;

    public bool TakesRawPrompts { get; set; } = true;

    public int Active => Volatile.Read(ref _active);

    public ChatRequest? LastRequest { get; private set; }

    public int Requests { get; private set; }

    public Func<ChatRequest, ChatScript> Script { get; set; } = static _ => ChatScript.Of("Hello");

    public ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        LastRequest = request;
        Requests++;
        ChatScript script = Script(request);
        if (script.StartFault is { } fault)
            throw fault;
        return new(script.Error is { } error ? new ChatStart(null, error) : new ChatStart(new Answer(this, script), null));
    }

    /// <summary>Counts prompts; without one a request has the prompt tokens that its script says.</summary>
    public Func<ChatRequest, int>? Count { get; set; }

    public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel)
    {
        LastRequest = request;
        return new(Count?.Invoke(request) ?? Script(request).Usage.PromptTokens);
    }

    private sealed class Answer(ScriptedBackend owner, ChatScript script) : IChatAnswer
    {
        public FinishReason Finish { get; private set; } = FinishReason.Stop;

        public ChatUsage Usage => script.Usage;

        public string? StopText => script.StopText;

        public int CountRepairs(Repairs kind) => script.Repairs.GetValueOrDefault(kind);

        public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
        {
            Interlocked.Increment(ref owner._active);
            try
            {
                if (script.Opened is { } opened)
                    await opened.WaitAsync(cancel);
                for (int i = 0; i < script.Events.Count; i++)
                {
                    if (script.FaultAt == i)
                        throw new InvalidOperationException("scripted fault, quoting " + CanaryText);
                    if (script.Yield)
                        await Task.Yield();
                    if (script.Gate is { } gate && !await gate.WaitToReadAsync(cancel))
                        break;
                    script.Gate?.TryRead(out _);
                    if (cancel.IsCancellationRequested)
                    {
                        Finish = FinishReason.Cancelled;
                        yield break;
                    }

                    yield return script.Events[i];
                }

                if (script.HangAtEnd)
                {
                    try
                    {
                        await Task.Delay(Timeout.Infinite, cancel);
                    }
                    catch (OperationCanceledException)
                    {
                        Finish = FinishReason.Cancelled;
                        yield break;
                    }
                }

                Finish = script.Finish;
            }
            finally
            {
                Interlocked.Decrement(ref owner._active);
            }
        }
    }

    public const string CanaryText = "canary-prompt-text";
}

/// <summary>One scripted answer.</summary>
internal sealed record ChatScript(IReadOnlyList<ChatEvent> Events, FinishReason Finish = FinishReason.Stop)
{
    public ChatUsage Usage { get; init; } = new(107, 100, 34, 12);

    public IReadOnlyDictionary<Repairs, int> Repairs { get; init; } = new Dictionary<Repairs, int>();

    public PlatformError? Error { get; init; }

    public string? StopText { get; init; }

    public Exception? StartFault { get; init; }

    /// <summary>Throws before the event of this index.</summary>
    public int FaultAt { get; init; } = -1;

    public bool HangAtEnd { get; init; }

    public bool Yield { get; init; }

    /// <summary>The first event waits for this.</summary>
    public Task? Opened { get; init; }

    /// <summary>One item per event that may go out.</summary>
    public ChannelReader<int>? Gate { get; init; }

    public static ChatScript Of(params string[] pieces) => new([.. pieces.Select(piece => new ChatEvent(ChatEventKind.Content, piece))]);
}
