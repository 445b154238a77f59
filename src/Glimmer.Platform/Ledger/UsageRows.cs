using Glimmer.Platform.Store;
using Npgsql;
using NpgsqlTypes;

namespace Glimmer.Platform.Ledger;

/// <summary>A request as a row of <c>ledger_usage</c>, with the numbers of its names.</summary>
internal readonly record struct UsageRow(LedgerReservation Request, long Seq, long Account, long Project, long Key, long Model, long Surface);

/// <summary>Writes usage rows: one prepared statement per row on SQLite and, for few rows, on PostgreSQL, where many go in by one COPY.</summary>
internal sealed class UsageRows
{
    /// <summary>A COPY asks the server twice; so many rows cost less as statements that go with the others of the group.</summary>
    private const int Few = 8;

    /// <summary>The columns of the units in the order of <see cref="UnitKind"/>.</summary>
    public const string UnitColumns = "input, cached_input, output, reasoning, images, videos, audio_milliseconds, audio_tokens, characters, pages, searches, tools";

    private const string Columns = "id, seq, at, account, project, key, model, surface, request, catalogue, mode, failed, "
        + UnitColumns + ", plan_units, currency, cash, credit, pack_value, pack_quantity";

    private static readonly string _insert =
        $"INSERT INTO ledger_usage ({Columns}) VALUES ({string.Join(", ", Enumerable.Range(0, 30).Select(static i => $"@p{i}"))})";

    public void Write(StoreSession session, StatementBatch batch, List<UsageRow> rows)
    {
        if (session.Connection is NpgsqlConnection postgres)
        {
            if (rows.Count <= Few)
            {
                Add(batch, rows);
                return;
            }

            batch.Flush();
            Copy(postgres, rows);
            return;
        }

        StoreStatement statement = session.Statement(_insert);
        foreach (UsageRow row in rows)
        {
            ref Charge charge = ref row.Request.Charge;
            statement.With(charge.Id).With(row.Seq).With(charge.At).With(row.Account).With(row.Project).With(row.Key).With(row.Model).With(row.Surface)
                .With(row.Request.RequestId).With(charge.Price.CatalogueVersion).With((long)charge.Mode).With(charge.Failed ? 1L : 0L);
            for (int kind = 0; kind < UsageUnits.Kinds; kind++)
                statement.With((long)charge.Units[(UnitKind)kind]);
            statement.With(charge.PlanUnits).With(row.Request.Wallet.Currency.Code).With(charge.Cash).With(charge.Credit).With(charge.PackValue).With(charge.PackQuantity).Execute();
        }
    }

    private static void Add(StatementBatch batch, List<UsageRow> rows)
    {
        object?[] values = new object?[30];
        foreach (UsageRow row in rows)
        {
            ref Charge charge = ref row.Request.Charge;
            int at = 0;
            ReadOnlySpan<object?> head = [charge.Id, row.Seq, charge.At, row.Account, row.Project, row.Key, row.Model, row.Surface, row.Request.RequestId, charge.Price.CatalogueVersion, (long)charge.Mode, charge.Failed ? 1L : 0L];
            head.CopyTo(values);
            at += head.Length;
            for (int kind = 0; kind < UsageUnits.Kinds; kind++)
                values[at++] = (long)charge.Units[(UnitKind)kind];
            ReadOnlySpan<object?> tail = [charge.PlanUnits, row.Request.Wallet.Currency.Code, charge.Cash, charge.Credit, charge.PackValue, charge.PackQuantity];
            tail.CopyTo(values.AsSpan(at));
            batch.Add(_insert, values);
        }
    }

    private static void Copy(NpgsqlConnection connection, List<UsageRow> rows)
    {
        using NpgsqlBinaryImporter import = connection.BeginBinaryImport($"COPY ledger_usage ({Columns}) FROM STDIN (FORMAT BINARY)");
        foreach (UsageRow row in rows)
        {
            ref Charge charge = ref row.Request.Charge;
            import.StartRow();
            import.Write(charge.Id, NpgsqlDbType.Bigint);
            import.Write(row.Seq, NpgsqlDbType.Bigint);
            import.Write(charge.At, NpgsqlDbType.Bigint);
            import.Write(row.Account, NpgsqlDbType.Bigint);
            import.Write(row.Project, NpgsqlDbType.Bigint);
            import.Write(row.Key, NpgsqlDbType.Bigint);
            import.Write(row.Model, NpgsqlDbType.Bigint);
            import.Write(row.Surface, NpgsqlDbType.Bigint);
            import.Write(row.Request.RequestId, NpgsqlDbType.Text);
            import.Write(charge.Price.CatalogueVersion, NpgsqlDbType.Bigint);
            import.Write((long)charge.Mode, NpgsqlDbType.Bigint);
            import.Write(charge.Failed ? 1L : 0L, NpgsqlDbType.Bigint);
            for (int kind = 0; kind < UsageUnits.Kinds; kind++)
                import.Write((long)charge.Units[(UnitKind)kind], NpgsqlDbType.Bigint);
            import.Write(charge.PlanUnits, NpgsqlDbType.Bigint);
            import.Write(row.Request.Wallet.Currency.Code, NpgsqlDbType.Text);
            import.Write(charge.Cash, NpgsqlDbType.Bigint);
            import.Write(charge.Credit, NpgsqlDbType.Bigint);
            import.Write(charge.PackValue, NpgsqlDbType.Bigint);
            import.Write(charge.PackQuantity, NpgsqlDbType.Bigint);
        }

        import.Complete();
    }
}
