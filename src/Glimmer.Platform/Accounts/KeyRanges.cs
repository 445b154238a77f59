using System.Data.Common;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Npgsql;

namespace Glimmer.Platform.Accounts;

/// <summary>
/// Reads all keys of PostgreSQL over several connections, each a range of their numbers, of one snapshot. PostgreSQL gives a million rows on one connection in a
/// second or two, whoever reads them; ranges are made and parsed at the same time.
/// </summary>
internal static class KeyRanges
{
    /// <summary>Keys from which on another connection is worth its making.</summary>
    private const int WorthConnecting = 50_000;

    private const int MostRanges = 4;

    /// <summary>How many ranges a store is read in.</summary>
    public static int CountFor(PlatformStore store, StoreSession session)
    {
        // One more stays free of the pool's, for whoever else starts.
        int connections = new NpgsqlConnectionStringBuilder(store.Settings.ConnectionString).MaxPoolSize - 1;
        return (int)Math.Clamp(Last(session) / WorthConnecting, 1, Math.Clamp(Math.Min(connections, Environment.ProcessorCount), 1, MostRanges));
    }

    /// <summary>Reads them.</summary>
    /// <param name="store">Gives the other connections.</param>
    /// <param name="session">In a transaction whose snapshot is read.</param>
    /// <param name="sink">Takes them in no order, one at a time.</param>
    /// <param name="ranges">How many ranges.</param>
    public static void Read(PlatformStore store, StoreSession session, IKeySink sink, int ranges) =>
        Read(store, session, sink, ranges, ranges > 1 ? session.Scalar<string>("SELECT pg_export_snapshot()")! : "");

    // Ranges that cannot be read elsewhere in the snapshot of that name are read by the session itself.
    internal static void Read(PlatformStore store, StoreSession session, IKeySink sink, int ranges, string snapshot)
    {
        var own = (NpgsqlConnection)session.Connection;
        long step = ranges > 1 ? (Last(session) / ranges) + 1 : 0;
        Lock taking = new();
        Task<bool>[] others = [.. Enumerable.Range(1, ranges - 1).Select(range => Task.Run(() => TryRead(store, snapshot, range * step, EndOf(range), new Batches(sink, taking))))];
        try
        {
            Read(own, long.MinValue, EndOf(0), new Batches(sink, taking));
        }
        finally
        {
            // The snapshot lives as long as this transaction.
            Task all = Task.WhenAll(others);
            all.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
        }

        for (int i = 0; i < others.Length; i++)
        {
            if (!others[i].GetAwaiter().GetResult())
                Read(own, (i + 1) * step, EndOf(i + 1), new Batches(sink, taking));
        }

        long EndOf(int range) => range == ranges - 1 ? long.MaxValue : (range + 1) * step;
    }

    private static long Last(StoreSession session) => session.Scalar<long?>("SELECT MAX(id) FROM access_keys") ?? 0;

    /// <summary>Reads a range on a connection of its own; false when there is none to be had, or none that sees the snapshot.</summary>
    private static bool TryRead(PlatformStore store, string snapshot, long from, long to, Batches batches)
    {
        try
        {
            return store.Read(
                session =>
                {
                    session.Execute($"SET TRANSACTION SNAPSHOT '{snapshot.Replace("'", "''", StringComparison.Ordinal)}'");
                    Read((NpgsqlConnection)session.Connection, from, to, batches);
                    return true;
                },
                snapshot: true);
        }
        catch (Exception fault) when (fault is DbException or StoreAwayException)
        {
            return false;
        }
    }

    private static void Read(NpgsqlConnection connection, long from, long to, Batches batches)
    {
        DirectoryReader.ReadKeys(connection, from, to, batches);
        batches.Give();
    }

    /// <summary>Hands keys on in lots, since the directory has one writer at a time.</summary>
    private sealed class Batches(IKeySink sink, Lock taking) : IKeySink
    {
        private const int Size = 512;
        private readonly List<KeyEntry> _keys = new(Size);

        public void Key(KeyEntry key)
        {
            _keys.Add(key);
            if (_keys.Count == Size)
                Give();
        }

        public void KeyGone(UInt128 index)
        {
            lock (taking)
                sink.KeyGone(index);
        }

        public void Give()
        {
            lock (taking)
                _keys.ForEach(sink.Key);
            _keys.Clear();
        }
    }
}
