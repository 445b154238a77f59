using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing.Choosing;
using Glimmer.Inference.Routing.Health;

namespace Glimmer.Inference.Routing;

/// <summary>
/// One backend and what is known of it: how much it has to do, whether it is well. Shared by the pools of all its models. Counters are
/// read and written without locks.
/// </summary>
internal sealed class BackendMember
{
    private static readonly TimeSpan ShortBusy = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestBusy = TimeSpan.FromSeconds(60);
    private const int MostLoad = 1_000_000;
    private static int _lastId;
    private readonly TimeProvider _time;
    private int _inFlight;
    private int _others;
    private long _busyUntil;
    private double _latency;
    private long _requests;
    private long _answers;
    private long _failures;
    private long _busy;
    private long _failedOver;
    private long _hedgesLost;
    private long _affinityHits;

    /// <summary>A member that is taken for well until something says otherwise.</summary>
    public BackendMember(IChatBackend backend, string name, int weight, int maxInFlight, TimeProvider time)
    {
        _time = time;
        Backend = backend;
        Name = name;
        NameHash = PromptBlocks.OfText(name);
        Weight = weight;
        MaxInFlight = maxInFlight;
        Circuit = new MemberCircuit(time);

        // 0 is nobody's; a number comes again after 65535 members, when a remembered block may lead to the wrong one of them.
        int id = Interlocked.Increment(ref _lastId) & 0xFFFF;
        Id = (ushort)(id == 0 ? Interlocked.Increment(ref _lastId) & 0xFFFF : id);
    }

    public IChatBackend Backend { get; }

    /// <summary>Backends of its embedding models.</summary>
    public IReadOnlyList<IEmbeddingBackend> Embeddings { get; init; } = [];

    public string Name { get; }

    /// <summary>Number that remembered blocks lead to.</summary>
    public ushort Id { get; }

    public ulong NameHash { get; }

    public MemberCircuit Circuit { get; }

    /// <summary>What it was made from, as it stands in the file now; null for the engine of this process.</summary>
    public BackendDefinition? Definition { get; set; }

    public volatile int Weight;

    public volatile int MaxInFlight;

    /// <summary>Whether it gets no more requests, because an operator said so or because it is no longer in the file.</summary>
    public volatile bool Draining;

    /// <summary>Whether it is no longer in the file.</summary>
    public volatile bool Removed;

    /// <summary>Whether its probes say that it takes no requests.</summary>
    public volatile bool Down;

    /// <summary>What its probes say.</summary>
    public volatile ProbeRecord? Probe;

    /// <summary>Completes when it has been probed once; nobody waits for what is not probed.</summary>
    public TaskCompletionSource FirstProbe { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether it may turn out to be well in a moment: it has just come, and its first probe is under way.</summary>
    public bool IsComing => !Draining && !FirstProbe.Task.IsCompleted && !Backend.IsReady;

    /// <summary>Its last failure, for people.</summary>
    public volatile string LastError = "";

    /// <summary>The pools of its models, where requests may wait for a place at it.</summary>
    public volatile PooledChatBackend[] Pools = [];

    /// <summary>The pools of its embedding models, likewise.</summary>
    public volatile PooledEmbeddingBackend[] EmbeddingPools = [];

    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>What it has to do: requests of this process, and of others by its last probe.</summary>
    public int Load => Volatile.Read(ref _inFlight) + Volatile.Read(ref _others);

    public long Requests => Volatile.Read(ref _requests);

    public long Answers => Volatile.Read(ref _answers);

    public long Failures => Volatile.Read(ref _failures);

    public long BusyAnswers => Volatile.Read(ref _busy);

    public long FailedOver => Volatile.Read(ref _failedOver);

    public long HedgesLost => Volatile.Read(ref _hedgesLost);

    public long AffinityHits => Volatile.Read(ref _affinityHits);

    /// <summary>Moving average of the time to the first event, in seconds; 0 when there was none yet.</summary>
    public double Latency => Volatile.Read(ref _latency);

    /// <summary>Whether it is well and wanted; it may be full.</summary>
    public bool TakesRequests => !Draining && !Down && Backend.IsReady && Circuit.Allows;

    public bool IsFull => InFlight >= MaxInFlight;

    /// <summary>Whether it said a moment ago that it is full.</summary>
    public bool IsBusy => Volatile.Read(ref _busyUntil) is not 0 and var until && _time.GetTimestamp() < until;

    /// <summary>Takes a place, unless there is none or its circuit does not let the request through.</summary>
    public bool TryEnter(out bool trial)
    {
        trial = false;
        while (true)
        {
            int now = Volatile.Read(ref _inFlight);
            if (now >= MaxInFlight)
                return false;
            if (Interlocked.CompareExchange(ref _inFlight, now + 1, now) == now)
                break;
        }

        if (Draining || !Circuit.TryPass(out trial))
        {
            Interlocked.Decrement(ref _inFlight);
            return false;
        }

        Interlocked.Increment(ref _requests);
        return true;
    }

    /// <summary>Gives the place back.</summary>
    public void Leave()
    {
        Interlocked.Decrement(ref _inFlight);
        Serve();
    }

    /// <summary>Lets requests that wait take what is free here.</summary>
    public void Serve()
    {
        foreach (PooledChatBackend pool in Pools)
            pool.Serve();
        foreach (PooledEmbeddingBackend pool in EmbeddingPools)
            pool.Serve();
    }

    public void CountAffinity() => Interlocked.Increment(ref _affinityHits);

    public void CountFailover() => Interlocked.Increment(ref _failedOver);

    public void CountLostHedge() => Interlocked.Increment(ref _hedgesLost);

    public void CountAnswer() => Interlocked.Increment(ref _answers);

    /// <summary>It failed, for a reason that people may read.</summary>
    public void CountFailure(string why)
    {
        Interlocked.Increment(ref _failures);
        LastError = why;
    }

    /// <summary>It said that it is full: others are asked first for a while.</summary>
    public void CountBusy(TimeSpan? retryAfter)
    {
        Interlocked.Increment(ref _busy);
        TimeSpan pause = retryAfter is { Ticks: > 0 } wait ? wait < LongestBusy ? wait : LongestBusy : ShortBusy;
        Volatile.Write(ref _busyUntil, _time.GetTimestamp() + (long)(pause.TotalSeconds * _time.TimestampFrequency));
    }

    /// <summary>An answer began after so long.</summary>
    public void CountLatency(TimeSpan first)
    {
        const double Part = 0.1;
        double old = Volatile.Read(ref _latency);
        Volatile.Write(ref _latency, old == 0 ? first.TotalSeconds : old + (Part * (first.TotalSeconds - old)));
    }

    /// <summary>Takes what a probe told of its queue.</summary>
    /// <param name="probe">What it told.</param>
    /// <param name="inFlight">Requests of this process while it was asked.</param>
    public void TakeLoad(BackendProbe probe, int inFlight) =>
        Volatile.Write(ref _others, (int)Math.Clamp((long)(probe.Running ?? 0) + (probe.Waiting ?? 0) - inFlight, 0, MostLoad));
}

/// <summary>What probes of a backend say.</summary>
/// <param name="At">When the last one ended.</param>
/// <param name="Last">What it said.</param>
/// <param name="InARow">How many of its kind in a row.</param>
internal sealed record ProbeRecord(DateTimeOffset At, BackendProbe Last, int InARow);
