using System.Diagnostics;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing.Choosing;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Inference.Routing.Health;

namespace Glimmer.Inference.Routing;

/// <summary>
/// All backends of a process and the pools of their models. The set of backends can be changed at any time: those whose definition stays keep
/// their connections, their health and their requests; others finish what runs and are disposed of.
/// </summary>
public sealed class BackendPool : IAsyncDisposable
{
    private const int RememberedBlocks = 1 << 17;
    private const int RememberedEvents = 64;
    private static readonly TimeSpan _shortest = TimeSpan.FromMilliseconds(1);
    private readonly Func<BackendDefinition, IChatBackend> _create;
    private readonly Func<BackendDefinition, IReadOnlyList<IEmbeddingBackend>> _createEmbeddings;
    private readonly MemberProber _prober;
    private readonly CancellationTokenSource _over = new();
    private readonly Lock _applying = new();
    private readonly Lock _gate = new();
    private readonly Queue<BackendEvent> _events = [];
    private readonly List<BackendMember> _leaving = [];
    private BackendMember[] _members = [];
    private volatile PooledChatBackend[] _models = [];
    private volatile PooledEmbeddingBackend[] _embeddings = [];
    private volatile RoutingOptions _options;

    /// <summary>A pool without backends.</summary>
    /// <param name="create">Makes a backend from its definition. May throw when it cannot be made; the message is shown.</param>
    /// <param name="options">How requests are spread until a set says otherwise.</param>
    /// <param name="time">Clock of everything.</param>
    /// <param name="random">Moves the times of probes; null for chance.</param>
    /// <param name="createEmbeddings">Makes the backends of its embedding models; null where there are none.</param>
    public BackendPool(
        Func<BackendDefinition, IChatBackend> create,
        RoutingOptions? options = null,
        TimeProvider? time = null,
        Random? random = null,
        Func<BackendDefinition, IReadOnlyList<IEmbeddingBackend>>? createEmbeddings = null)
    {
        _create = create;
        _createEmbeddings = createEmbeddings ?? (static _ => []);
        _options = options ?? new RoutingOptions();
        Time = time ?? TimeProvider.System;
        _prober = new MemberProber(this, random ?? new Random());
    }

    /// <summary>Called when the list of models has become another; from one thread at a time.</summary>
    public Action? ModelsChanged { get; set; }

    /// <summary>Hears what happens to backends.</summary>
    public Action<BackendEvent>? Observer { get; set; }

    /// <summary>One pool per model code, in the order in which codes came.</summary>
    public IReadOnlyList<PooledChatBackend> Models => _models;

    /// <summary>One pool per code of an embedding model.</summary>
    public IReadOnlyList<PooledEmbeddingBackend> Embeddings => _embeddings;

    /// <summary>How requests are spread.</summary>
    public RoutingOptions Options => _options;

    /// <summary>Where definitions come from, when it is a file.</summary>
    public BackendFileSource? Source { get; internal set; }

    /// <summary>What happened last, the oldest first.</summary>
    public IReadOnlyList<BackendEvent> Events
    {
        get
        {
            lock (_events)
                return [.. _events];
        }
    }

    internal TimeProvider Time { get; }

    internal AffinityTable Affinity { get; } = new(RememberedBlocks);

    internal IReadOnlyList<BackendMember> Members => Volatile.Read(ref _members);

    /// <summary>The pool of a model; null when no backend has it.</summary>
    /// <param name="code">Its code, in any case.</param>
    public PooledChatBackend? Find(string code) => Array.Find(_models, model => string.Equals(model.Code, code, StringComparison.OrdinalIgnoreCase));

    /// <summary>Adds a backend of this process, which stays whatever sets come. It is not disposed of with the pool.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="maxInFlight">Most requests in flight at it; it may keep a line of its own.</param>
    public void AddLocal(IChatBackend backend, int maxInFlight = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(backend);
        lock (_applying)
        {
            var member = new BackendMember(backend, backend.Name, _options.EmbeddedWeight, maxInFlight, Time);
            member.FirstProbe.SetResult();
            Swap([.. _members, member], _options);
            Tell(member, "added", "it runs in this process");
        }
    }

    /// <summary>Takes a set of backends in place of the one before. Nothing changes when one of them cannot be made.</summary>
    /// <exception cref="BackendFileException">A backend cannot be made.</exception>
    public void Apply(BackendSet set)
    {
        ArgumentNullException.ThrowIfNull(set);
        lock (_applying)
        {
            BackendMember[] before = _members;
            List<BackendMember> made = [];
            List<(BackendMember Member, BackendDefinition Definition)> kept = [];
            List<BackendMember> next = [.. before.Where(static member => member.Definition is null)];
            try
            {
                foreach (BackendDefinition definition in set.Backends)
                {
                    if (Array.Find(before, member => member.Name == definition.Name && member.Definition is { } known && BackendSet.IsSame(known, definition)) is { } same)
                    {
                        kept.Add((same, definition));
                        next.Add(same);
                        continue;
                    }

                    BackendMember member = Make(definition);
                    made.Add(member);
                    next.Add(member);
                }
            }
            catch (Exception fault)
            {
                foreach (BackendMember member in made)
                    _ = DisposeAsync(member).AsTask();
                throw new BackendFileException($"The backend {set.Backends[kept.Count + made.Count].Name} cannot be made: {fault.Message}", fault);
            }

            foreach ((BackendMember member, BackendDefinition definition) in kept)
                Change(member, definition);
            foreach (BackendMember member in next.Where(static member => member.Definition is null))
                member.Weight = set.Routing.EmbeddedWeight == _options.EmbeddedWeight ? member.Weight : set.Routing.EmbeddedWeight;
            Swap([.. next], set.Routing);
            foreach (BackendMember member in made)
            {
                Tell(member, "added", before.Any(old => old.Name == member.Name) ? "its definition has changed" : "it is in the file");
                _prober.Start(member);
            }

            foreach (BackendMember member in before.Except(next))
                Retire(member);
        }
    }

    /// <summary>What is known of every backend, those that finish included.</summary>
    public IReadOnlyList<BackendStatus> List()
    {
        BackendMember[] all;
        lock (_gate)
            all = [.. Members, .. _leaving];
        long requests = all.Sum(static member => member.Requests);
        return [.. all.Select(member => BackendStatus.Of(member, requests))];
    }

    /// <summary>Gives a backend no more requests, or requests again. False when there is none of that name.</summary>
    public bool Drain(string name, bool draining)
    {
        if (Member(name) is not { } member)
            return false;
        if (member.Draining != draining)
        {
            member.Draining = draining;
            Tell(member, draining ? "draining" : "undrained", "an operator said so");
            member.Serve();
        }

        return true;
    }

    /// <summary>Changes the weight of a backend until the file gives it another. False when there is none of that name.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="weight">0 to 1000.</param>
    public bool SetWeight(string name, int weight)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(weight);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(weight, 1000);
        if (Member(name) is not { } member)
            return false;
        int before = member.Weight;
        member.Weight = weight;
        Tell(member, "weight", $"{before} → {weight}");
        return true;
    }

    /// <summary>Waits until every backend has been asked once how it is, but not for longer than that.</summary>
    public async Task FirstProbesAsync(TimeSpan patience, CancellationToken cancel = default)
    {
        try
        {
            await Task.WhenAll(Members.Select(static member => member.FirstProbe.Task)).WaitAsync(patience, Time, cancel);
        }
        catch (TimeoutException)
        {
            // Who is not there by now comes later.
        }
    }

    /// <summary>Asks every backend how it is, now.</summary>
    public Task ProbeAsync(CancellationToken cancel) => Task.WhenAll(Members.Select(member => _prober.ProbeAsync(member, cancel)));

    /// <summary>Stops the probes and disposes of the backends that it made. Requests in flight should have ended.</summary>
    public async ValueTask DisposeAsync()
    {
        Source?.Dispose();
        await _over.CancelAsync();
        await _prober.DisposeAsync();
        BackendMember[] all;
        lock (_gate)
            all = [.. Members, .. _leaving];
        foreach (BackendMember member in all)
            await DisposeAsync(member);
    }

    /// <summary>A request failed at a backend.</summary>
    internal void Fail(BackendMember member, bool trial, string why)
    {
        bool ejected;
        lock (_gate)
            ejected = member.Circuit.Fail(trial, _options.Eject, () => MayEject(member));
        if (!ejected)
            return;
        _ = WakeAsync(member);
        Tell(member, "ejected", $"{member.Circuit.Why}; the last: {why}");
        Activity.Current?.AddEvent(new ActivityEvent("glimmer.routing.ejected", tags: new ActivityTagsCollection { ["glimmer.backend.name"] = member.Name, ["glimmer.backend.error"] = member.Circuit.Why }));
    }

    /// <summary>Something happened to a backend.</summary>
    internal void Tell(BackendMember member, string what, string why) => Tell(member.Name, what, why);

    internal void Tell(string name, string what, string why)
    {
        var item = new BackendEvent(Time.GetUtcNow(), name, what, why);
        lock (_events)
        {
            while (_events.Count >= RememberedEvents)
                _events.Dequeue();
            _events.Enqueue(item);
        }

        Observer?.Invoke(item);
    }

    /// <summary>Has the requests that wait look at a backend again as soon as it has been out of use for its time: it may be long until one comes or goes that makes them.</summary>
    private async Task WakeAsync(BackendMember member)
    {
        while (member.Circuit.TimeLeft is { Ticks: > 0 } left && !_over.IsCancellationRequested)
            await Task.Delay(left < _shortest ? _shortest : left, Time, _over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_over.IsCancellationRequested)
            member.Serve();
    }

    private BackendMember? Member(string name) => Array.Find(Volatile.Read(ref _members), member => string.Equals(member.Name, name, StringComparison.OrdinalIgnoreCase));

    private bool MayEject(BackendMember member)
    {
        foreach (MemberSet set in member.Pools.Select(static pool => pool.Members).Concat(_embeddings.Select(static pool => pool.Members)))
        {
            IReadOnlyList<PoolEntry> entries = set.Entries;
            if (!entries.Any(entry => ReferenceEquals(entry.Member, member)))
                continue;

            // One that waits for its trial takes that one request and no more.
            int outOfUse = entries.Count(entry => !ReferenceEquals(entry.Member, member) && (!entry.Member.TakesRequests || entry.Member.Circuit.State != CircuitState.Closed));
            int most = _options.Eject.Share > 0 ? Math.Max(1, (int)(_options.Eject.Share * entries.Count)) : 0;
            if (outOfUse + 1 > most || outOfUse + 1 >= entries.Count)
                return false;
        }

        return true;
    }

    private void Change(BackendMember member, BackendDefinition definition)
    {
        BackendDefinition before = member.Definition!;
        member.Definition = definition;
        if (before.MaxInFlight != definition.MaxInFlight)
            member.MaxInFlight = definition.MaxInFlight;

        // An operator's weight stays until the file says another than it did.
        if (before.Weight != definition.Weight)
            member.Weight = definition.Weight;
        if (before.MaxInFlight != definition.MaxInFlight || before.Weight != definition.Weight)
            Tell(member, "changed", $"weight {definition.Weight}, max_in_flight {definition.MaxInFlight}");
    }

    private BackendMember Make(BackendDefinition definition)
    {
        IReadOnlyList<IEmbeddingBackend> embeddings = _createEmbeddings(definition);
        try
        {
            return new BackendMember(_create(definition), definition.Name, definition.Weight, definition.MaxInFlight, Time) { Definition = definition, Embeddings = embeddings };
        }
        catch
        {
            foreach (IEmbeddingBackend backend in embeddings)
                _ = DisposeAsync(backend).AsTask();
            throw;
        }
    }

    /// <summary>The entries of each code, in the order in which codes come; the first spelling of a code counts.</summary>
    private static IEnumerable<(string Code, PoolEntry[] Entries)> ByCode(BackendMember[] members, Func<BackendMember, IEnumerable<string>> codes) =>
        members.SelectMany(member => codes(member).Distinct(StringComparer.OrdinalIgnoreCase).Select(code => new PoolEntry(member, code)))
            .GroupBy(static entry => entry.Model, StringComparer.OrdinalIgnoreCase)
            .Select(static group => (group.First().Model, group.ToArray()));

    private void Swap(BackendMember[] members, RoutingOptions options)
    {
        PooledChatBackend[] before = _models;
        List<PooledChatBackend> models = [];
        foreach ((string code, PoolEntry[] entries) in ByCode(members, static member => member.Backend.Models))
        {
            var set = new MemberSet(entries, options);
            if (Find(code) is { } pool && pool.Code == code)
                pool.Take(set);
            else
                pool = new PooledChatBackend(this, code, set);
            models.Add(pool);
        }

        List<PooledEmbeddingBackend> embeddings = [];
        foreach ((string code, PoolEntry[] entries) in ByCode(members, static member => member.Embeddings.Select(static backend => backend.Model)))
        {
            var set = new MemberSet(entries, options);
            if (Array.Find(_embeddings, known => known.Model == code) is { } pool)
                pool.Take(set);
            else
                pool = new PooledEmbeddingBackend(this, code, set);
            embeddings.Add(pool);
        }

        PooledEmbeddingBackend[] embeddingsBefore = _embeddings;
        _embeddings = [.. embeddings];
        foreach (BackendMember member in members)
        {
            member.Pools = [.. models.Where(model => model.Members.Entries.Any(entry => ReferenceEquals(entry.Member, member)))];
            member.EmbeddingPools = [.. embeddings.Where(model => model.Members.Entries.Any(entry => ReferenceEquals(entry.Member, member)))];
        }

        Volatile.Write(ref _members, members);
        _options = options;
        _models = [.. models];
        foreach (PooledChatBackend gone in before.Except(models))
            gone.Take(new MemberSet([], options));
        foreach (PooledEmbeddingBackend gone in embeddingsBefore.Except(embeddings))
            gone.Take(new MemberSet([], options));
        foreach (PooledChatBackend model in models)
            model.Serve();
        foreach (PooledEmbeddingBackend model in embeddings)
            model.Serve();
        ModelsChanged?.Invoke();
    }

    /// <summary>Lets a backend that is no longer in the set finish what runs, and then go.</summary>
    private void Retire(BackendMember member)
    {
        member.Removed = member.Draining = true;
        _prober.Stop(member);
        lock (_gate)
            _leaving.Add(member);
        Tell(member, "removed", $"{member.InFlight} requests finish");
        _ = FinishAsync(member);
    }

    private async Task FinishAsync(BackendMember member)
    {
        while (member.InFlight > 0)
            await Task.Delay(TimeSpan.FromSeconds(1), Time);
        await DisposeAsync(member);
        lock (_gate)
            _leaving.Remove(member);
        Tell(member, "gone", "its last request has ended");
    }

    private static async ValueTask DisposeAsync(BackendMember member)
    {
        if (member.Definition is null)
            return;
        await DisposeAsync((object)member.Backend);
        foreach (IEmbeddingBackend backend in member.Embeddings)
            await DisposeAsync((object)backend);
    }

    private static async ValueTask DisposeAsync(object backend)
    {
        if (backend is IAsyncDisposable asynchronous)
            await asynchronous.DisposeAsync();
        else if (backend is IDisposable disposable)
            disposable.Dispose();
    }
}
