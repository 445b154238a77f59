using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Inference.Embedded.Hosting;

namespace Glimmer.Inference.Tests.Embedded.Hosting;

/// <summary>Loads models that answer when told to, and writes down what happens.</summary>
internal sealed class FakeLoader(params (string Code, long Bytes)[] models) : IModelLoader
{
    private readonly Lock _gate = new();
    private readonly List<string> _log = [];
    private readonly Dictionary<string, ManualResetEventSlim> _held = [];
    private readonly Dictionary<string, Queue<Exception>> _faults = [];
    private long _bytes;

    /// <summary>Most bytes that were loaded at once.</summary>
    public long MostBytes { get; private set; }

    /// <summary>What happened, in order: <c>+a</c> a load begins, <c>-a</c> it was closed.</summary>
    public string Log
    {
        get
        {
            lock (_gate)
                return string.Join(' ', _log);
        }
    }

    /// <summary>The last backend of each model.</summary>
    public Dictionary<string, FakeBackend> Backends { get; } = [];

    public IReadOnlyList<HostedModel> Models => [.. models.Select(model => new HostedModel(model.Code, $"{model.Code}.gguf"))];

    /// <summary>Makes loads of a model wait until the event is set.</summary>
    public ManualResetEventSlim Hold(string code) => _held[code] = new ManualResetEventSlim();

    /// <summary>Makes the next load of a model fail.</summary>
    public void Fail(string code, Exception fault)
    {
        if (!_faults.TryGetValue(code, out Queue<Exception>? faults))
            _faults[code] = faults = new Queue<Exception>();
        faults.Enqueue(fault);
    }

    /// <summary>What plans wait for; null for nothing.</summary>
    public ManualResetEventSlim? Planning { get; set; }

    public ModelNeed Plan(HostedModel model)
    {
        Assert.True(Planning?.Wait(TimeSpan.FromMinutes(2)) ?? true);
        return NeedOf(model);
    }

    private ModelNeed NeedOf(HostedModel model) => new(models.First(known => known.Code == model.Code).Bytes, "weights and all");

    public IHostedBackend Load(HostedModel model)
    {
        Note("+" + model.Code);
        if (_held.TryGetValue(model.Code, out ManualResetEventSlim? held))
            Assert.True(held.Wait(TimeSpan.FromMinutes(2)));
        if (_faults.TryGetValue(model.Code, out Queue<Exception>? faults) && faults.TryDequeue(out Exception? fault))
            throw fault;
        lock (_gate)
        {
            _bytes += NeedOf(model).Bytes;
            MostBytes = Math.Max(MostBytes, _bytes);
            return Backends[model.Code] = new FakeBackend(this, model.Code, NeedOf(model).Bytes);
        }
    }

    public static ChatRequest Request(string code) => new()
    {
        Model = code,
        Conversation = new Conversation([], [], new RenderOptions()),
        Sampling = new SamplingOptions { Greedy = true },
    };

    private void Note(string what)
    {
        lock (_gate)
            _log.Add(what);
    }

    /// <summary>A loaded model.</summary>
    internal sealed class FakeBackend(FakeLoader loader, string code, long bytes) : IHostedBackend
    {
        private readonly List<FakeAnswer> _running = [];
        private bool _stopped;

        public WeightFileState Files { get; set; }

        /// <summary>Times that the files were looked at.</summary>
        public int Checks { get; private set; }

        public bool Closed { get; private set; }

        public ChatStart Start(ChatRequest request, Action ended)
        {
            lock (_running)
            {
                Assert.False(Closed, "a closed model was asked");
                if (_stopped)
                    return new ChatStart(null, new Protocol.Errors.PlatformError(Protocol.Errors.BusinessCode.Overloaded, "stopped"));
                FakeAnswer answer = new(code, ended);
                _running.Add(answer);
                return new ChatStart(answer, null);
            }
        }

        public int CountTokens(ChatRequest request) => 7;

        public WeightFileState CheckFiles()
        {
            Checks++;
            return Files;
        }

        public Task StopAsync(TimeSpan grace)
        {
            lock (_running)
            {
                _stopped = true;
                foreach (FakeAnswer answer in _running)
                    answer.End(FinishReason.Cancelled);
            }

            return Task.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            Closed = true;
            loader.Note("-" + code);
            lock (loader._gate)
                loader._bytes -= bytes;
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>An answer that says one word when it is told to end.</summary>
    internal sealed class FakeAnswer(string code, Action ended) : IChatAnswer
    {
        private readonly TaskCompletionSource<FinishReason> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public FinishReason Finish => _end.Task.Result;

        public ChatUsage Usage => default;

        public void End(FinishReason finish = FinishReason.Stop)
        {
            if (_end.TrySetResult(finish))
                ended();
        }

        public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
        {
            if (await _end.Task.WaitAsync(cancel) == FinishReason.Stop)
                yield return new ChatEvent(ChatEventKind.Content, code);
        }
    }
}
