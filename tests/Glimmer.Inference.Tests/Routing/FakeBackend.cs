using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Routing;

/// <summary>What a fake backend does with one request.</summary>
internal sealed record FakeReply(params string[] Pieces)
{
    /// <summary>Refuses the start.</summary>
    public ChatStart? Refusal { get; init; }

    /// <summary>Throws at the start.</summary>
    public Exception? Thrown { get; init; }

    /// <summary>Throws in place of the piece of this index.</summary>
    public int ThrowsAt { get; init; } = -1;

    /// <summary>Ends as failed in place of the piece of this index.</summary>
    public int FailsAt { get; init; } = -1;

    /// <summary>The start waits for this.</summary>
    public Task Start { get; init; } = Task.CompletedTask;

    /// <summary>The first piece waits for this.</summary>
    public Task First { get; init; } = Task.CompletedTask;

    /// <summary>The end waits for this.</summary>
    public Task End { get; init; } = Task.CompletedTask;

    public PlatformError? Error { get; init; }

    public static FakeReply Busy(TimeSpan? retryAfter = null) =>
        new() { Refusal = new ChatStart(null, PlatformError.Of(BusinessCode.Overloaded) with { RetryAfter = retryAfter }) { Fault = StartFault.Busy } };

    public static FakeReply Down(string why = "it is broken") =>
        new() { Refusal = new ChatStart(null, new PlatformError(BusinessCode.CallFailed, why)) { Fault = StartFault.Backend } };

    public static FakeReply Wrong() => new() { Refusal = new ChatStart(null, PlatformError.Invalid("messages", "they are wrong", "Use others")) { Fault = StartFault.Request } };
}

/// <summary>A backend that does what a test tells it to.</summary>
internal sealed class FakeBackend(BackendDefinition definition) : IRemoteBackend
{
    private int _started;
    private int _active;

    public BackendDefinition Definition => definition;

    public string Name => definition.Name;

    public IReadOnlyList<string> Models { get; } = [.. definition.Models.Select(model => model.Code)];

    public bool IsReady
    {
        get
        {
            Looked?.Invoke();
            return field;
        }

        set;
    } = true;

    /// <summary>Called by who asks whether it is ready.</summary>
    public Action? Looked { get; set; }

    public bool TakesRawPrompts { get; set; }

    /// <summary>A simulated prefix cache, where a test keeps one.</summary>
    public PrefixCache? Cache { get; set; }

    public bool Disposed { get; private set; }

    public int Started => Volatile.Read(ref _started);

    public int Active => Volatile.Read(ref _active);

    public Func<ChatRequest, FakeReply> Reply { get; set; } = _ => new FakeReply(definition.Name);

    public Func<Task<BackendProbe>> Probe { get; set; } = static () => Task.FromResult(new BackendProbe(true, "fine"));

    public int Probes { get; private set; }

    public async ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        Interlocked.Increment(ref _started);
        FakeReply reply = Reply(request);
        await reply.Start.WaitAsync(cancel);
        if (reply.Thrown is { } thrown)
            throw thrown;
        return reply.Refusal ?? new ChatStart(new Answer(this, reply), null);
    }

    public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel) => Reply(request).Thrown is { } thrown ? throw thrown : new(7);

    public Task<BackendProbe> ProbeAsync(CancellationToken cancel)
    {
        Probes++;
        return Probe();
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }

    private sealed class Answer(FakeBackend owner, FakeReply reply) : IChatAnswer
    {
        private int _said;

        public FinishReason Finish { get; private set; } = FinishReason.Cancelled;

        public ChatUsage Usage => new(10, 0, _said, 0);

        public PlatformError? Error => Finish == FinishReason.BackendFault ? reply.Error : null;

        public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
        {
            Interlocked.Increment(ref owner._active);
            try
            {
                await reply.First.WaitAsync(cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                for (int i = 0; i <= reply.Pieces.Length; i++)
                {
                    if (cancel.IsCancellationRequested)
                        yield break;
                    if (reply.ThrowsAt == i)
                        throw new IOException("cut");
                    if (reply.FailsAt == i)
                    {
                        Finish = FinishReason.BackendFault;
                        yield break;
                    }

                    if (i == reply.Pieces.Length)
                        break;
                    _said++;
                    yield return new ChatEvent(ChatEventKind.Content, reply.Pieces[i]);
                    if (i % 2 == 1)
                        await Task.Yield();
                }

                await reply.End.WaitAsync(cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                Finish = cancel.IsCancellationRequested ? FinishReason.Cancelled : FinishReason.Stop;
            }
            finally
            {
                Interlocked.Decrement(ref owner._active);
            }
        }
    }
}

/// <summary>A pool of fake backends and what a test asks of it.</summary>
internal sealed class FakePool : IAsyncDisposable
{
    public const string Model = "glm-4.7";

    public FakePool(TimeProvider? time, RoutingOptions? options, params BackendDefinition[] definitions)
    {
        Pool = new BackendPool(Make, time: time, random: new Random(1));
        Apply(options ?? new RoutingOptions { Probe = new ProbeOptions { Interval = TimeSpan.Zero } }, definitions);
    }

    public BackendPool Pool { get; }

    public List<FakeBackend> Made { get; } = [];

    /// <summary>What to do with a backend that is made.</summary>
    public Action<FakeBackend> Coming { get; set; } = static _ => { };

    public PooledChatBackend Chat => Pool.Find(Model)!;

    /// <summary>The newest backend of a name.</summary>
    public FakeBackend this[string name] => Made.FindLast(backend => backend.Name == name)!;

    public static FakePool Of(params string[] names) => new(null, null, [.. names.Select(name => Define(name))]);

    public static FakePool Of(TimeProvider time, RoutingOptions options, params string[] names) => new(time, options, [.. names.Select(name => Define(name))]);

    public static BackendDefinition Define(string name, int weight = 100, int maxInFlight = 256, params string[] models) => new()
    {
        Name = name,
        Kind = BackendKind.OpenAI,
        Url = new Uri("http://127.0.0.1:1"),
        Models = [.. (models.Length > 0 ? models : [Model]).Select(code => new BackendModel { Code = code })],
        Weight = weight,
        MaxInFlight = maxInFlight,
    };

    public static ChatRequest Ask(params string[] texts) => new()
    {
        Model = Model,
        Conversation = new Conversation([.. texts.Select((text, i) => ChatMessage.OfText(i % 2 == 0 ? ChatRole.User : ChatRole.Assistant, text))], [], new RenderOptions()),
        Sampling = new SamplingOptions(),
    };

    /// <summary>A question whose conversation leads to a backend while all are well.</summary>
    public async Task<ChatRequest> AskFor(string name)
    {
        for (int i = 0; ; i++)
        {
            ChatRequest request = Ask($"question {i}");
            Func<ChatRequest, FakeReply>[] replies = [.. Made.Select(backend => backend.Reply)];
            foreach (FakeBackend backend in Made)
                backend.Reply = _ => new FakeReply("x");
            (string _, IChatAnswer answer) = await SayAsync(request);
            for (int j = 0; j < replies.Length; j++)
                Made[j].Reply = replies[j];
            if (((IRoutedAnswer)answer).Backend == name)
                return request;
        }
    }

    public void Apply(RoutingOptions options, params BackendDefinition[] definitions) => Pool.Apply(new BackendSet(definitions, options));

    public BackendStatus Status(string name) => Pool.List().Single(backend => backend.Name == name);

    public Task<(string Text, IChatAnswer Answer)> SayAsync(ChatRequest request, CancellationToken cancel = default) => SayAsync(Chat, request, cancel);

    public static async Task<(string Text, IChatAnswer Answer)> SayAsync(IChatBackend backend, ChatRequest request, CancellationToken cancel = default)
    {
        ChatStart start = await backend.StartAsync(request, cancel);
        Assert.Null(start.Error);
        return (await ReadAsync(start.Answer!, cancel), start.Answer!);
    }

    public static async Task<string> ReadAsync(IChatAnswer answer, CancellationToken cancel = default)
    {
        string text = "";
        await foreach (ChatEvent said in answer.ReadAsync(cancel))
            text += said.Text;
        return text;
    }

    public static Task UntilAsync(Func<bool> condition) => Eventually.HoldsAsync(condition);

    private FakeBackend Make(BackendDefinition definition)
    {
        if (definition.Name == "impossible")
            throw new InvalidOperationException("no tokenizer");
        FakeBackend backend = new(definition);
        Coming(backend);
        Made.Add(backend);
        return backend;
    }

    public ValueTask DisposeAsync() => Pool.DisposeAsync();
}
