using System.Globalization;
using System.Text;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Microsoft.Data.Sqlite;
using Npgsql;
using SQLitePCL;

namespace Glimmer.Platform.Accounts;

/// <summary>Takes keys.</summary>
internal interface IKeySink
{
    void Key(KeyEntry key);

    void KeyGone(UInt128 index);
}

/// <summary>Takes what the store holds.</summary>
internal interface IDirectorySink : IKeySink
{
    void Account(AccountEntry account);

    /// <summary>A project that keys belong to; it comes before them.</summary>
    void Project(long id, string publicId);

    void Lock(long account, string endUser, long until);

    void LockGone(long account, string endUser);
}

/// <summary>
/// Reads accounts, keys and locks that changed since a version; version 0 reads all. A million keys must come in a
/// second or so: fields are looked at where they lie, in the engine's memory on SQLite, in what the server sent on PostgreSQL.
/// </summary>
internal static class DirectoryReader
{
    // "extra" tells of all columns behind it at once that there is nothing in them.
    private const string KeyColumns =
        "SELECT public_id, salt, hash, sealed, id, account_id, project_id, name, disabled, created, COALESCE(expires, 9223372036854775807), COALESCE(last_used, 0), "
        + "CASE WHEN deleted IS NOT NULL THEN 2 WHEN old_until IS NULL AND models IS NULL AND networks IS NULL AND spend_cap IS NULL AND operator = 0 THEN 0 ELSE 1 END AS extra, "
        + "old_salt, old_hash, old_sealed, COALESCE(old_until, 0), models, networks, spend_cap, operator FROM access_keys";

    private const string LivingKeys = " WHERE deleted IS NULL";

    /// <summary>Reads; gives the version that was read.</summary>
    /// <param name="store">The store, for more connections.</param>
    /// <param name="session">A snapshot of it.</param>
    /// <param name="since">The version that is known.</param>
    /// <param name="sink">Takes what there is.</param>
    public static long Read(PlatformStore store, StoreSession session, long since, IDirectorySink sink)
    {
        long version = session.Version(AccountDirectory.Topic);
        if (version == since && since > 0)
            return version;
        string filter = since == 0 ? "" : " WHERE version > @since";
        foreach (AccountRow row in session.List<AccountRow>($"SELECT {AccountRow.Columns} FROM accounts{filter}", new { since }))
            sink.Account(row.ToEntry());
        foreach ((long account, string endUser, long? expires, long? released) in session.List<(long, string, long?, long?)>(
            $"SELECT account_id, end_user, expires, released FROM end_user_locks{(since == 0 ? " WHERE released IS NULL" : filter)}", new { since }))
        {
            if (released is null)
                sink.Lock(account, endUser, expires ?? long.MaxValue);
            else
                sink.LockGone(account, endUser);
        }

        foreach ((long id, string publicId) in session.List<(long, string)>(
            since == 0 ? "SELECT id, public_id FROM projects WHERE deleted IS NULL" : "SELECT id, public_id FROM projects WHERE id IN (SELECT project_id FROM access_keys WHERE version > @since)", new { since }))
        {
            sink.Project(id, publicId);
        }

        if (session.Connection is SqliteConnection sqlite)
            ReadKeys(sqlite, KeyColumns + (since == 0 ? LivingKeys : $" WHERE version > {since}"), sink);
        else if (since > 0)
            ReadKeys((NpgsqlConnection)session.Connection, $"{KeyColumns} WHERE version > {since}", sink);
        else
            KeyRanges.Read(store, session, sink, KeyRanges.CountFor(store, session));
        return version;
    }

    /// <summary>Reads the keys from one number to before another that are not deleted, on PostgreSQL.</summary>
    public static void ReadKeys(NpgsqlConnection connection, long from, long to, IKeySink sink) =>
        ReadKeys(connection, string.Create(CultureInfo.InvariantCulture, $"{KeyColumns}{LivingKeys} AND id >= {from} AND id < {to}"), sink);

    private static void ReadKeys(SqliteConnection connection, string sql, IKeySink sink)
    {
        SqliteException.ThrowExceptionForRC(raw.sqlite3_prepare_v2(connection.Handle, sql, out sqlite3_stmt statement), connection.Handle);
        using (statement)
        {
            var names = new NameCache();
            int code;
            while ((code = raw.sqlite3_step(statement)) == raw.SQLITE_ROW)
            {
                string? Text(int column) => raw.sqlite3_column_type(statement, column) == raw.SQLITE_NULL ? null : raw.sqlite3_column_text(statement, column).utf8_to_string();
                byte[]? Bytes(int column) => raw.sqlite3_column_type(statement, column) == raw.SQLITE_NULL ? null : raw.sqlite3_column_blob(statement, column).ToArray();
                long Number(int column) => raw.sqlite3_column_int64(statement, column);

                // Text read as bytes is UTF-8 here.
                ReadOnlySpan<byte> id = raw.sqlite3_column_blob(statement, 0);
                bool plain = KeyEntry.TryIndexOf(id, out UInt128 index);
                string? text = plain ? null : Encoding.UTF8.GetString(id);
                index = plain ? index : KeyEntry.IndexOf(text);
                long extra = Number(12);
                if (extra == 2)
                {
                    sink.KeyGone(index);
                    continue;
                }

                KeyExtras? extras = extra == 0 && plain
                    ? null
                    : Extras(text, Bytes(13), Bytes(14), Bytes(15), Number(16), Text(17), Text(18), raw.sqlite3_column_type(statement, 19) == raw.SQLITE_NULL ? null : Number(19), Number(20) != 0);
                Give(
                    sink, raw.sqlite3_column_blob(statement, 1), raw.sqlite3_column_blob(statement, 2), raw.sqlite3_column_blob(statement, 3), index, extras,
                    Number(4), Number(5), Number(6), names.Get(raw.sqlite3_column_blob(statement, 7)), Number(8) != 0, Number(9), Number(10), Number(11));
            }

            if (code != raw.SQLITE_DONE)
                SqliteException.ThrowExceptionForRC(code, connection.Handle);
        }
    }

    private static void ReadKeys(NpgsqlConnection connection, string sql, IKeySink sink)
    {
        using var rows = new CopyRows(connection, sql, 21);
        var names = new NameCache();
        while (rows.Next())
        {
            byte[]? Bytes(int column) => rows.IsNull(column) ? null : rows.Bytes(column).ToArray();

            bool plain = KeyEntry.TryIndexOf(rows.Bytes(0), out UInt128 index);
            string? text = plain ? null : rows.Text(0);
            index = plain ? index : KeyEntry.IndexOf(text);
            long extra = rows.Number(12);
            if (extra == 2)
            {
                sink.KeyGone(index);
                continue;
            }

            KeyExtras? extras = extra == 0 && plain
                ? null
                : Extras(text, Bytes(13), Bytes(14), Bytes(15), rows.Number(16), rows.Text(17), rows.Text(18), rows.IsNull(19) ? null : rows.Number(19), rows.Number(20) != 0);
            Give(
                sink, rows.Bytes(1), rows.Bytes(2), rows.Bytes(3), index, extras,
                rows.Number(4), rows.Number(5), rows.Number(6), names.Get(rows.Bytes(7)), rows.Number(8) != 0, rows.Number(9), rows.Number(10), rows.Number(11));
        }
    }

    private static KeyExtras Extras(string? id, byte[]? salt, byte[]? hash, byte[]? box, long until, string? models, string? networks, long? cap, bool isOperator) => new()
    {
        Id = id,
        Rules = KeyRules.Parse(models, networks, cap),
        Former = salt is not null && hash is not null && box is not null ? new KeySecret(salt, hash, box) : null,
        FormerUntil = until,
        IsOperator = isOperator,
    };

    private static void Give(
        IKeySink sink, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> hash, ReadOnlySpan<byte> box, UInt128 index, KeyExtras? extras,
        long number, long account, long project, string name, bool disabled, long created, long expires, long lastUsed)
    {
        bool usual = KeyEntry.IsUsual(salt, hash, box);
        if (!usual)
        {
            extras = new KeyExtras
            {
                Id = extras?.Id,
                Rules = extras?.Rules ?? KeyRules.None,
                Former = extras?.Former,
                FormerUntil = extras?.FormerUntil ?? 0,
                IsOperator = extras?.IsOperator ?? false,
                Own = new KeySecret(salt.ToArray(), hash.ToArray(), box.ToArray()),
            };
        }

        var entry = new KeyEntry
        {
            Number = number,
            AccountId = account,
            ProjectId = project,
            Index = index,
            Name = name,
            Created = created,
            Expires = expires,
            Disabled = disabled,
            Extras = extras,
            LastUsed = lastUsed,
        };
        entry.TrySetSecret(salt, hash, box);
        sink.Key(entry);
    }
}

/// <summary>Most keys share few names; one string serves all that came lately.</summary>
internal sealed class NameCache
{
    private readonly (byte[] Bytes, string Text)[] _known = new (byte[], string)[512];

    public string Get(ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty)
            return "";
        var hash = new HashCode();
        hash.AddBytes(name);
        ref (byte[] Bytes, string Text) slot = ref _known[hash.ToHashCode() & 511];
        if (slot.Bytes is null || !name.SequenceEqual(slot.Bytes))
            slot = (name.ToArray(), Encoding.UTF8.GetString(name));
        return slot.Text;
    }
}

/// <summary>A row of accounts.</summary>
internal sealed record AccountRow(
    long Id, string Public_id, string Name, string Kind, long State, long? State_until, string State_reason, long Tier, string Language, long Created, long? Concurrency)
{
    public const string Columns = "id, public_id, name, kind, state, state_until, state_reason, tier, language, created, concurrency";

    public AccountEntry ToEntry() => new(
        Id, Public_id, Name, (AccountState)State, State_until is { } until ? DateTimeOffset.FromUnixTimeMilliseconds(until) : null,
        (int)Tier, Language, Kind == "default", DateTimeOffset.FromUnixTimeMilliseconds(Created))
    {
        StateReason = State_reason,
        Concurrency = (int?)Concurrency,
    };
}
