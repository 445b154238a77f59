using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Tests.Ledger;

/// <summary>
/// The process that <see cref="CrashTests"/> kills: it charges requests, recharges, grants and sells packs as fast as it can, and notes in a
/// file what it was told is durable. Runs until it is killed.
/// </summary>
public sealed class CrashLoad
{
    public const string Folder = "GLIMMER_CRASH_FOLDER";
    public const string Connection = "GLIMMER_CRASH_CONNECTION";
    public const string Run = "GLIMMER_CRASH_RUN";
    public const int Accounts = 5;

    private static readonly Price _price = PriceTests.Tokens("0.6", "0.11", "2.2", model: "glm-4.7");

    [Fact(Explicit = true)]
    public async Task Charge_until_killed()
    {
        string folder = Environment.GetEnvironmentVariable(Folder) ?? throw new InvalidOperationException("Only CrashTests runs this.");
        string run = Environment.GetEnvironmentVariable(Run)!;
        await using PlatformStore store = PlatformStore.Open(Settings(folder, Environment.GetEnvironmentVariable(Connection) ?? ""));
        await using PlatformLedger ledger = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.FromMilliseconds(50) });
        using var notes = new FileStream(Path.Combine(folder, $"acknowledged-{run}"), FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
        var lines = new BlockingCollection<string>();
        var writer = new Thread(() =>
        {
            // One write of the operating system per line: what is in the file was acknowledged before the kill.
            foreach (string line in lines.GetConsumingEnumerable())
                notes.Write(Encoding.UTF8.GetBytes(line + "\n"));
        });
        writer.IsBackground = true;
        writer.Start();
        await Task.WhenAll(Enumerable.Range(0, 40).Select(worker => Task.Run(() => WorkAsync(ledger, run, worker, lines))));
    }

    /// <summary>What both sides open: with the least durability, since a kill of the process must not need more.</summary>
    public static StoreSettings Settings(string folder, string connection) =>
        new() { DataFolder = folder, ConnectionString = connection, Durability = StoreDurability.Normal };

    private static async Task WorkAsync(PlatformLedger ledger, string run, int worker, BlockingCollection<string> lines)
    {
        var random = new Random(worker);
        for (int i = 0; ; i++)
        {
            string account = $"account-{random.Next(Accounts)}";
            string id = $"{run}-{worker}-{i}";
            int choice = i == 0 ? 0 : random.Next(100);
            if (choice < 5)
            {
                if (await ledger.DepositAsync(account, Money.Of(0.01m, Currency.Usd), id) == PostingState.Booked)
                    lines.Add($"transaction {id} {account} 0.01");
            }
            else if (choice < 8)
            {
                await ledger.GrantAsync(account, Money.Of(0.001m, Currency.Usd), id, DateTimeOffset.UtcNow.AddMilliseconds(random.Next(5, 500)));
                lines.Add($"transaction {id} {account} 0.001");
            }
            else if (choice < 11)
            {
                Purchase bought = await ledger.BuyPackAsync(
                    account, new PackOffer(random.Next(1, 5000), Money.Of(0.002m, Currency.Usd), new PackScope([UnitKind.Input, UnitKind.Output], ["glm-4.7"]), TimeSpan.FromMilliseconds(random.Next(5, 500))), id);
                if (bought.State == PostingState.Booked)
                    lines.Add($"transaction {id} {account} 0.002");
            }
            else if (ledger.TryReserve(new Payer(account, "p", $"key-{worker % 3}"), new Quote(_price, new UsageUnits { Input = 1000, Output = 1000 }), id, out Reservation? held, out _))
            {
                if (choice < 15)
                {
                    ledger.Release(held);
                    continue;
                }

                var used = new UsageUnits { Input = random.Next(1000), Output = random.Next(1000) };
                Settlement settled = ledger.Settle(held, used);
                await settled.Durable;
                lines.Add(string.Create(CultureInfo.InvariantCulture, $"request {id} {account} {settled.Charged.Units}"));
            }
        }
    }
}
