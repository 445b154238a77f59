using System.Security.Cryptography;

namespace Glimmer.Platform.Store;

/// <summary>
/// What a transaction leaves behind to be known by. PostgreSQL's own numbers do not do: a server that crashed gives those of transactions whose log was not yet written to others, which may
/// then be committed. A writer's row in <c>store_commits</c> holds the number of its last transaction that was. One transaction at a time.
/// </summary>
internal sealed class CommitMark
{
    private static readonly long _keptMilliseconds = (long)TimeSpan.FromDays(30).TotalMilliseconds;

    /// <summary>Unique for ever, by chance.</summary>
    public long Writer { get; } = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));

    /// <summary>The transaction's number among the writer's.</summary>
    public long Number { get; private set; }

    /// <summary>Makes a transaction known: the last that it does before it is committed. Tells the changed topics too, since both go to the server together.</summary>
    /// <returns>PostgreSQL's number of the transaction.</returns>
    public long Leave(StoreSession session, long now)
    {
        const string Mark = "WITH mark AS (INSERT INTO store_commits (writer, number, at) VALUES (@Writer, @Number, @now) ON CONFLICT (writer) DO UPDATE SET number = excluded.number, at = excluded.at) ";
        Number++;
        if (Number == 1)
        {
            // Others may be forgetting the same ones.
            session.Execute(
                "DELETE FROM store_commits WHERE writer IN (SELECT writer FROM store_commits WHERE at < @before LIMIT 1000 FOR UPDATE SKIP LOCKED)", new { before = now - _keptMilliseconds });
        }

        return session.Touched.Count == 0
            ? session.Scalar<long>(Mark + "SELECT txid_current()", new { Writer, Number, now })
            : session.Scalar<long>(
                Mark + "SELECT txid_current() FROM unnest(@changes) AS change, pg_notify(@channel, change || ' ' || current_schema())",
                new { Writer, Number, now, changes = session.Touched.Select(StoreChanges.Payload).ToArray(), channel = StoreChanges.Channel });
    }

    /// <summary>Whether the transaction was committed, asked once it runs no more.</summary>
    public bool WasCommitted(StoreSession session) => session.Scalar<long?>("SELECT number FROM store_commits WHERE writer = @Writer", new { Writer }) == Number;
}
