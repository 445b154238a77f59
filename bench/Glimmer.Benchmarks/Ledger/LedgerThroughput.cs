using System.Diagnostics;
using System.Globalization;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Testing;
using Npgsql;

namespace Glimmer.Benchmarks.Ledger;

/// <summary>
/// How many requests a second the ledger reserves, settles and has on disk, and what one costs in CPU time of the whole
/// process. <c>-- ledger [sqlite|postgres] [requests] [accounts] [full|normal|off]</c>. Pin it to one core to
/// measure one core.
/// </summary>
internal static class LedgerThroughput
{
    private const int InFlight = 4000;

    public static async Task RunAsync(string[] args)
    {
        string connection = "";
        if (args.Length > 0 && args[0] == "postgres")
        {
            connection = PostgresServer.ConnectionString(out string schema);
            await using var administration = new NpgsqlConnection(PostgresServer.Administration);
            await administration.OpenAsync();
            await using var command = new NpgsqlCommand($"CREATE SCHEMA {schema}", administration);
            await command.ExecuteNonQueryAsync();
        }

        int requests = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 200_000;
        int accounts = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 100;
        StoreDurability durability = args.Length > 3 ? Enum.Parse<StoreDurability>(args[3], ignoreCase: true) : StoreDurability.Full;
        string folder = Directory.CreateTempSubdirectory("glimmer-bench-").FullName;
        try
        {
            await using PlatformStore store = PlatformStore.Open(new StoreSettings { DataFolder = folder, ConnectionString = connection, Durability = durability });
            await using PlatformLedger ledger = PlatformLedger.Open(store, new LedgerSettings());
            string run = Guid.NewGuid().ToString("N")[..8];
            await Task.WhenAll(Enumerable.Range(0, accounts).Select(i => ledger.DepositAsync($"{run}-account-{i}", Money.Of(100_000, Currency.Usd), $"{run}-{i}")));
            var price = new Price("glm-4.7", 1, Currency.Usd,
            [
                new PriceLine(UnitKind.Input, Money.Of(0.6m, Currency.Usd), 1_000_000),
                new PriceLine(UnitKind.CachedInput, Money.Of(0.11m, Currency.Usd), 1_000_000),
                new PriceLine(UnitKind.Output, Money.Of(2.2m, Currency.Usd), 1_000_000),
            ]);
            await BatchAsync(ledger, price, run, accounts, requests / 10);
            InMemory(ledger, price, run, accounts);

            TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime;
            long allocated = GC.GetTotalAllocatedBytes();
            var watch = Stopwatch.StartNew();
            await BatchAsync(ledger, price, run, accounts, requests);
            double seconds = watch.Elapsed.TotalSeconds;
            cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
            Console.WriteLine(
                $"{store.Kind} {durability}, {accounts} accounts: {requests / seconds:N0} settled requests/s, {cpu.TotalMicroseconds / requests:N1} us CPU each (all of the process), "
                + $"{(GC.GetTotalAllocatedBytes() - allocated) / requests:N0} bytes allocated each");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>What the request itself waits for: reserve and release, nothing stored.</summary>
    private static void InMemory(PlatformLedger ledger, Price price, string run, int accounts)
    {
        const int Count = 1_000_000;
        Payer[] payers = Payers(run, accounts);
        var quote = new Quote(price, new UsageUnits { Input = 4000, Output = 65536 });
        for (int round = 0; round < 2; round++)
        {
            var watch = Stopwatch.StartNew();
            for (int i = 0; i < Count; i++)
            {
                if (!ledger.TryReserve(payers[i % payers.Length], quote, "request", out Reservation? held, out _))
                    throw new InvalidOperationException("The account ran dry.");
                ledger.Release(held);
            }

            if (round == 1)
                Console.WriteLine($"reserve and release: {watch.Elapsed.TotalMicroseconds / Count:N3} us");
        }
    }

    private static async Task BatchAsync(PlatformLedger ledger, Price price, string run, int accounts, int requests)
    {
        Payer[] payers = Payers(run, accounts);
        int next = 0;
        await Task.WhenAll(Enumerable.Range(0, InFlight).Select(worker => Task.Run(async () =>
        {
            for (int i = Interlocked.Increment(ref next); i <= requests; i = Interlocked.Increment(ref next))
            {
                var quote = new Quote(price, new UsageUnits { Input = 4000, Output = 65536 });
                if (!ledger.TryReserve(payers[i % payers.Length], quote, $"20261121{i:D12}", out Reservation? held, out _))
                    throw new InvalidOperationException("The account ran dry.");
                await ledger.Settle(held, new UsageUnits { Input = 4000, CachedInput = i % 4000, Output = 300 + (i % 700), Reasoning = 100 }, new SettleDetails(Surface: "chat")).Durable;
            }
        })));
    }

    private static Payer[] Payers(string run, int accounts) =>
        [.. Enumerable.Range(0, accounts).Select(i => new Payer($"{run}-account-{i}", $"{run}-project-{i}", $"{run}-key-{i}"))];
}
