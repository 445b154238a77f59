using System.Diagnostics;
using System.Globalization;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Benchmarks.Ledger;

/// <summary>
/// How long usage pages take when there are many requests: <c>-- usage-pages make FOLDER [rows]</c> settles a year of them, half
/// of one account, <c>-- usage-pages read FOLDER</c> reads its pages.
/// </summary>
internal static class UsagePages
{
    private const string Large = "account-0";
    private static readonly DateTimeOffset _start = new(2025, 1, 1, 0, 0, 0, TimeSpan.FromHours(8));

    public static async Task RunAsync(string[] args)
    {
        int rows = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 10_000_000;
        var clock = new Clock();
        await using PlatformStore store = PlatformStore.Open(new StoreSettings { DataFolder = args[1], Durability = StoreDurability.Normal, Time = clock });
        if (args[0] == "make")
            await MakeAsync(store, clock, rows);
        else
            await ReadAsync(store, clock);
    }

    private static async Task MakeAsync(PlatformStore store, Clock clock, int rows)
    {
        await using PlatformLedger ledger = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        Price[] prices = [.. Enumerable.Range(0, 5).Select(i => new Price($"glm-{i}", 1, Currency.Usd,
        [
            new PriceLine(UnitKind.Input, Money.Of(0.6m, Currency.Usd), 1_000_000), new PriceLine(UnitKind.Output, Money.Of(2.2m, Currency.Usd), 1_000_000),
        ]))];
        Payer[] payers = [.. Enumerable.Range(0, 100).SelectMany(a => Enumerable.Range(0, a == 0 ? 99 : 1).Select(k => new Payer($"account-{a}", $"project-{a}-{k % 4}", $"key-{a}-{k % 20}")))];
        for (int a = 0; a < 100; a++)
            await ledger.DepositAsync($"account-{a}", Money.Of(1_000_000, Currency.Usd), $"deposit-{a}");
        var watch = Stopwatch.StartNew();
        var random = new Random(1);
        Task last = Task.CompletedTask;
        long step = TimeSpan.FromDays(365).Ticks / rows;
        for (int i = 0; i < rows; i++)
        {
            clock.Advance(step);
            if (!ledger.TryReserve(payers[random.Next(payers.Length)], new Quote(prices[random.Next(5)], default), $"20250101{i:D12}", out Reservation? held, out _))
                throw new InvalidOperationException("The account ran dry.");
            last = ledger.Settle(held, new UsageUnits { Input = random.Next(8000), Output = random.Next(1000) }, new SettleDetails(Surface: "chat")).Durable;
            if (ledger.Backlog > 20_000)
                await last;
        }

        await last;
        Console.WriteLine($"{rows:N0} requests in {watch.Elapsed.TotalSeconds:N0} s");
    }

    private static async Task ReadAsync(PlatformStore store, Clock clock)
    {
        clock.Advance(TimeSpan.FromDays(366).Ticks);
        var watch = Stopwatch.StartNew();
        await using PlatformLedger ledger = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        Console.WriteLine($"open: {watch.Elapsed.TotalMilliseconds:N0} ms");
        var usage = new UsageReport(ledger);
        var statements = new Statements(ledger);
        var end = new DateOnly(2025, 12, 30);
        await TimeAsync("30 days by model", () => usage.ReadAsync(new UsageQuery(Large, end.AddDays(-29), end, UsageSpan.Day, UsageSplit.Model)));
        await TimeAsync("7 days by hour and model", () => usage.ReadAsync(new UsageQuery(Large, end.AddDays(-6), end, UsageSpan.Hour, UsageSplit.Model)));
        await TimeAsync("14 days by hour", () => usage.ReadAsync(new UsageQuery(Large, end.AddDays(-13), end, UsageSpan.Hour)));
        await TimeAsync("year by month and key", () => usage.ReadAsync(new UsageQuery(Large, end.AddDays(-363), end, UsageSpan.Month, UsageSplit.Key)));
        await TimeAsync("year in all", () => usage.ReadAsync(new UsageQuery(Large, end.AddDays(-363), end, UsageSpan.Total)));
        await TimeAsync("30 days of one key", () => usage.ReadAsync(new UsageQuery(Large, end.AddDays(-29), end, KeyId: "key-0-3")));
        await TimeAsync("month of bills", () => statements.BillsAsync(Large, end.AddDays(-29), end));
        await TimeAsync("100 newest requests", () => statements.RequestsAsync(Large, _start, clock.GetUtcNow()));
        await TimeAsync("100 requests of June", () => statements.RequestsAsync(Large, _start, _start.AddDays(170)));
        await TimeAsync("history", () => statements.TransactionsAsync(Large));
    }

    private static async Task TimeAsync<T>(string name, Func<Task<IReadOnlyList<T>>> read)
    {
        var times = new List<double>();
        int count = 0;
        for (int i = 0; i < 6; i++)
        {
            var watch = Stopwatch.StartNew();
            count = (await read()).Count;
            times.Add(watch.Elapsed.TotalMilliseconds);
        }

        Console.WriteLine($"{name}: {count} lines, first {times[0]:N1} ms, then {times.Skip(1).Average():N1} ms");
    }

    private sealed class Clock : TimeProvider
    {
        private long _ticks = _start.UtcTicks;

        public void Advance(long ticks) => Interlocked.Add(ref _ticks, ticks);

        public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);
    }
}
