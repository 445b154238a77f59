using Glimmer.Platform.Store;

namespace Glimmer.Platform.Nodes;

/// <summary>A node as operators see it.</summary>
/// <param name="Id">Its number, new with each registration.</param>
/// <param name="Name">What it calls itself.</param>
/// <param name="Epoch">How often a node of this name has registered.</param>
/// <param name="Version">Version of the program.</param>
/// <param name="IsShared">Whether it shares limits; false while it is alone and owns them whole.</param>
/// <param name="Started">When it registered, by the database's clock.</param>
/// <param name="LeaseLeft">How long its lease still runs; below zero when it has ended.</param>
/// <param name="Limits">Limits that it holds parts of.</param>
/// <param name="Units">Units that it holds of them, whatever they are units of.</param>
public readonly record struct NodeStanding(long Id, string Name, long Epoch, string Version, bool IsShared, DateTimeOffset Started, TimeSpan LeaseLeft, long Limits, long Units);

/// <summary>What this node's trade in slices comes to.</summary>
/// <param name="Nodes">Nodes that share the store, as it said last.</param>
/// <param name="Limits">Limits of which this node holds something.</param>
/// <param name="Held">Units held, whatever they are units of.</param>
/// <param name="Used">Units of them in use.</param>
/// <param name="Starved">Limits that had less than was asked for at the last exchange.</param>
/// <param name="Exchanges">Exchanges with the store.</param>
/// <param name="Asks">Limits said in them.</param>
/// <param name="Failures">Exchanges without an answer.</param>
/// <param name="Fences">Times that the lease had ended and others had the slices.</param>
/// <param name="LeaseLeft">How long this node may still admit without news of the store; zero for not at all.</param>
public readonly record struct NodeTrade(int Nodes, int Limits, long Held, long Used, int Starved, long Exchanges, long Asks, long Failures, long Fences, TimeSpan LeaseLeft);

/// <summary>
/// This process among others on the same PostgreSQL: registered with a lease, trading the limits that all share in slices. See
/// docs/designs/many-nodes.md.
/// </summary>
public sealed class NodeShare : IAsyncDisposable
{
    private readonly SliceLoop _loop;

    private readonly NodeLeaseHome? _home;

    private readonly PlatformStore _store;

    private NodeShare(PlatformStore store, SliceLoop loop, NodeLeaseHome? home) => (_store, _loop, _home) = (store, loop, home);

    /// <summary>Its number, new with each registration.</summary>
    public long Id => _loop.Row.Id;

    /// <summary>Whether limits are shared; false while this node is alone and owns them whole.</summary>
    public bool IsShared => Trader.IsShared;

    /// <summary>Called when an exchange with the store failed, once for each trouble; it goes on trying.</summary>
    public Action<Exception>? Faulted
    {
        get => _loop.Faulted;
        set => _loop.Faulted = value;
    }

    /// <summary>What the trade comes to now.</summary>
    public NodeTrade Trade
    {
        get
        {
            int limits = 0;
            long held = 0, used = 0;
            if (Trader.IsShared)
            {
                foreach (Slice slice in Trader.Slices)
                {
                    if (slice.Holding == 0)
                        continue;
                    limits++;
                    held += slice.Holding;
                    used += Math.Max(0, slice.Holding - Math.Max(0, slice.Spare));
                }
            }

            return new NodeTrade(Trader.Nodes, limits, held, used, Trader.Starved, Trader.Exchanges, Trader.Asks, Trader.Failures, Trader.Fences, Trader.LeaseLeft);
        }
    }

    internal SliceTrader Trader => _loop.Trader;

    /// <summary>Registers this process; null on SQLite, which no two processes serve from.</summary>
    /// <exception cref="StoreException">A running node shares limits in a form that this version does not know.</exception>
    public static NodeShare? Join(PlatformStore store, SliceSettings settings)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(settings);
        if (store.Kind == StoreKind.Sqlite)
            return null;
        NodeLeaseHome? home = NodeLeaseHome.TryTake(store.Settings.DataFolder);
        try
        {
            return new NodeShare(store, new SliceLoop(new SliceSqlStore(store), new SliceTrader(settings with { Home = home?.Id ?? "" }, TimeProvider.System), TimeProvider.System), home);
        }
        catch
        {
            home?.Dispose();
            throw;
        }
    }

    /// <summary>The nodes that the store knows, oldest first; none on SQLite.</summary>
    public static IReadOnlyList<NodeStanding> List(PlatformStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        return [.. store.Read(SliceSqlStore.List).Select(each => new NodeStanding(
            each.Node.Id,
            each.Node.Name,
            each.Node.Epoch,
            each.Node.Version,
            each.Node.Shared != 0,
            DateTimeOffset.FromUnixTimeMilliseconds(each.Node.Started),
            TimeSpan.FromMilliseconds(each.Node.LeaseEnd - each.Now),
            each.Limits,
            each.Units))];
    }

    /// <summary>What other nodes hold of limits now, of which this one may have asked nothing yet; limits that none holds are left out.</summary>
    internal Task<Dictionary<string, long>> ReadElsewhereAsync(string[] limits, CancellationToken cancel) =>
        _store.ReadAsync(session => SliceSqlStore.Elsewhere(session, Id, limits), cancel: cancel);

    /// <summary>Gives back what is idle and leaves. Call it when no request runs any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _loop.DisposeAsync();
        _home?.Dispose();
    }
}
