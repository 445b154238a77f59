using System.Data;
using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Glimmer.Platform.Store;

/// <summary>Runs transactions that end committed or not at all, also when the connection is lost while they commit.</summary>
internal static class StoreTransactions
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    /// <summary>Runs <paramref name="write"/> in one transaction and commits it.</summary>
    /// <param name="connections">The database.</param>
    /// <param name="connection">Where it runs.</param>
    /// <param name="write">What is written.</param>
    /// <param name="goOn">Asked while nobody can tell what became of the commit, with what keeps them from it: whether to ask on. Null: for half a minute.</param>
    /// <returns>The topics it changed, and their versions.</returns>
    public static IReadOnlyDictionary<string, long> Run(StoreConnections connections, StoreConnection connection, Action<StoreSession> write, Func<Exception, bool>? goOn = null)
    {
        StoreSession session = connection.Session();
        using DbTransaction transaction = Begin(connection.Connection);
        session.Transaction = transaction;
        write(session);
        if (session.Dialect.Kind == StoreKind.Sqlite)
        {
            transaction.Commit();
            return session.Touched;
        }

        CommitMark mark = connections.RentMark();
        try
        {
            long id = mark.Leave(session, connections.Now);
            try
            {
                transaction.Commit();
            }
            catch (Exception fault) when (StoreDialect.IsTransient(fault))
            {
                if (!WasCommitted(connections, id, mark, fault, goOn))
                    throw;
            }

            return session.Touched;
        }
        finally
        {
            connections.Return(mark);
        }
    }

    /// <summary>Runs <paramref name="make"/> in one transaction and commits it, in a store that may not have its tables yet. When it throws, nobody knows whether it was committed.</summary>
    public static void Make(StoreConnection connection, Action<StoreSession> make)
    {
        StoreSession session = connection.Session();
        using DbTransaction transaction = Begin(connection.Connection);
        session.Transaction = transaction;
        make(session);
        transaction.Commit();
    }

    /// <summary>A transaction for several reads that see one state.</summary>
    public static DbTransaction BeginSnapshot(DbConnection connection) => connection is SqliteConnection sqlite
        ? sqlite.BeginTransaction(deferred: true)
        : connection.BeginTransaction(IsolationLevel.RepeatableRead);

    // SQLite: the lock of the only writer is taken at once. A transaction that began by reading could not wait for it.
    private static DbTransaction Begin(DbConnection connection) => connection is SqliteConnection sqlite
        ? sqlite.BeginTransaction(deferred: false)
        : connection.BeginTransaction(IsolationLevel.ReadCommitted);

    /// <summary>Asks the server on a new connection what became of a transaction whose commit was not answered.</summary>
    internal static bool WasCommitted(StoreConnections connections, long id, CommitMark mark, Exception fault, Func<Exception, bool>? goOn)
    {
        long start = Environment.TickCount64;
        Exception last = fault;
        while (true)
        {
            try
            {
                using StoreConnection again = connections.OpenWriter();
                StoreSession session = again.Session();
                switch (session.Scalar<string?>("SELECT txid_status(@id)", new { id }))
                {
                    // Of another transaction, maybe, that was given the number after a crash. A snapshot of its own: it has to be younger than the answer above.
                    case "committed":
                        return mark.WasCommitted(session);
                    case "aborted":
                        return false;
                }
            }
            catch (PostgresException future) when (future.SqlState == PostgresErrorCodes.InvalidParameterValue)
            {
                // The server lost it in a crash: its number is not given out yet.
                return false;
            }
            catch (Exception trouble) when (StoreDialect.IsTransient(trouble))
            {
                // The server is away; ask again.
                last = trouble;
            }

            if (goOn is not null ? !goOn(last) : Environment.TickCount64 - start > _patience.TotalMilliseconds)
                throw new StoreException("The connection to PostgreSQL was lost during a commit, and nobody can tell whether it was done.", fault);
            Thread.Sleep(200);
        }
    }
}
