using System.Globalization;
using System.Numerics;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Tests.Ledger;

/// <summary>
/// Random histories of reserve, settle, release, recharge, grant, pack, plan, upgrade, refund, expiry and restart against
/// <see cref="PlainAccount"/>. <c>GLIMMER_LEDGER_HISTORIES</c> sets how many (3000), <c>GLIMMER_LEDGER_SEED</c> the first seed.
/// </summary>
public sealed class HistoryTests
{
    private const int Together = 100;
    private const int Steps = 30;

    private static readonly Price[] _prices =
    [
        PriceTests.Tokens("1.4", "0.26", "4.4", model: "glm-a"),
        new("glm-b", 2, Currency.Usd, [PriceTests.Line(UnitKind.Input, "0.3", 7), PriceTests.Line(UnitKind.Output, "1", 1000), PriceTests.Line(UnitKind.Reasoning, "0.1", 3), PriceTests.Line(UnitKind.Search, "0.01", 1)], family: "glm"),
        Price.Free("glm-flash", 2, family: "glm"),
    ];

    [Fact]
    public Task Random_histories_on_sqlite_agree_with_the_plain_model() => RunAsync(StoreKind.Sqlite, Number("GLIMMER_LEDGER_HISTORIES", 3000));

    [Fact]
    public Task Random_histories_on_postgresql_agree_with_the_plain_model() => RunAsync(StoreKind.Postgres, Math.Min(1000, Number("GLIMMER_LEDGER_HISTORIES", 300)));

    private static async Task RunAsync(StoreKind kind, int histories)
    {
        int seed = Number("GLIMMER_LEDGER_SEED", 1);
        for (int done = 0; done < histories;)
        {
            // A new store now and then: the audit at its end reads all of it.
            using var test = new TestLedger(kind);
            for (int wave = 0; wave < 50 && done < histories; wave++, done += Together)
                await WaveAsync(test, seed + done, Math.Min(Together, histories - done));
        }
    }

    private static async Task WaveAsync(TestLedger test, int seed, int count)
    {
        History[] histories = [.. Enumerable.Range(seed, count).Select(number => new History(number))];
        var clock = new Random(seed);
        for (int step = 0; step < Steps; step++)
        {
            if (clock.Next(3) == 0)
                test.Time.Advance(TimeSpan.FromMinutes(clock.Next(1, 2000)));
            if (clock.Next(40) == 0)
            {
                await test.RestartAsync();
                Array.ForEach(histories, history => history.Forget());
            }

            bool sweep = clock.Next(6) == 0;
            await Task.WhenAll(histories.Select(history => history.StepAsync(test.Ledger, step)));
            if (sweep)
            {
                await test.Ledger.SweepAsync();
                Array.ForEach(histories, history => history.Plain.Sweep(test.Ledger.Now));
            }

            foreach (History history in histories)
                history.Compare(test.Ledger);
        }

        foreach (History history in histories)
            history.Finish(test.Ledger);
    }

    private static int Number(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : otherwise;

    private sealed class History(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly List<(Reservation Real, PlainHold? Plain)> _open = [];
        private readonly string _account = $"account-{seed}";
        private string _last = "";

        public PlainAccount Plain { get; } = new();

        public async Task StepAsync(PlatformLedger ledger, int step)
        {
            long now = ledger.Now;
            string id = $"{_account}:{step}";
            int choice = _random.Next(100);
            _last = $"seed {seed}, step {step}, choice {choice}";
            if (choice < 30)
                Reserve(ledger, now);
            else if (choice < 55 && _open.Count > 0)
                await SettleAsync(ledger, now);
            else if (choice < 62 && _open.Count > 0)
                Release(ledger);
            else if (choice < 72)
                await DepositAsync(ledger, id);
            else if (choice < 79)
                await GrantAsync(ledger, id, now);
            else if (choice < 86)
                await PackAsync(ledger, id, now);
            else if (choice < 92)
                await UpgradeAsync(ledger, id, now);
            else if (choice < 96)
                await RefundAsync(ledger, id);
            else
                await WithdrawAsync(ledger, id, now);
        }

        /// <summary>A restart: running requests are gone and have charged nothing.</summary>
        public void Forget()
        {
            _open.Clear();
            Plain.Holds.Clear();
        }

        public void Finish(PlatformLedger ledger)
        {
            foreach ((Reservation real, _) in _open)
                ledger.Release(real);
            Plain.Holds.Clear();
            Compare(ledger);
        }

        public void Compare(PlatformLedger ledger)
        {
            Balance balance = ledger.BalanceOf(_account, Currency.Usd);
            long now = ledger.Now;
            Assert.True(Plain.Imbalance() == 0, _last);
            Assert.True(Plain.Cash == balance.Cash.Units, $"{_last}: cash is {balance.Cash.Units}, should be {Plain.Cash}");
            Assert.True(Plain.Credits(now).Select(lot => lot.Units).SequenceEqual(balance.CreditLots.Select(lot => (BigInteger)lot.Left.Units)), $"{_last}: credits differ");
            Assert.True(Plain.Packs(now).Select(lot => lot.Quantity).SequenceEqual(balance.Packs.Select(lot => lot.Left)), $"{_last}: packs differ");
            Assert.True(Plain.Holds.Aggregate(BigInteger.Zero, (sum, hold) => sum + hold.Money) == balance.Held.Units, $"{_last}: holds differ");
        }

        private void Reserve(PlatformLedger ledger, long now)
        {
            Price price = _prices[_random.Next(_prices.Length)];
            UsageUnits worst = PriceTests.Units(_random);
            ChargeMode mode = _random.Next(8) == 0 ? ChargeMode.Plan : ChargeMode.Balance;
            bool charged = mode == ChargeMode.Balance && !price.IsFree;
            bool taken = ledger.TryReserve(new Payer(_account, "p", $"k{seed % 7}"), new Quote(price, worst, mode), $"{_account}-{_open.Count}", out Reservation? real, out _);
            PlainHold? plain = charged ? Plain.Reserve(price, worst, now) : null;
            Assert.True(taken == (plain is not null || !charged), $"{_last}: reserve {taken}");
            if (taken)
                _open.Add((real!, plain));
        }

        private async Task SettleAsync(PlatformLedger ledger, long now)
        {
            (Reservation real, PlainHold? plain) = Take();
            UsageUnits used = _random.Next(5) == 0 ? PriceTests.Units(_random) : real.Quote.WorstCase with { Output = real.Quote.WorstCase.Output / 2, Reasoning = 0 };
            Settlement settled = ledger.Settle(real, used);
            BigInteger paid = plain is null ? 0 : Plain.Settle(plain, real.Quote.Price, used, now);
            Assert.True(paid == settled.Charged.Units, $"{_last}: charged {settled.Charged.Units}, should be {paid}");
            if (_random.Next(2) == 0)
                await settled.Durable;
        }

        private void Release(PlatformLedger ledger)
        {
            (Reservation real, PlainHold? plain) = Take();
            ledger.Release(real);
            if (plain is not null)
                Plain.Holds.Remove(plain);
        }

        private async Task DepositAsync(PlatformLedger ledger, string id)
        {
            Money amount = Amount();
            Assert.Equal(PostingState.Booked, await ledger.DepositAsync(_account, amount, id));
            Plain.Deposit(amount.Units);
            if (_random.Next(2) == 0)
                Assert.Equal(PostingState.BookedBefore, await ledger.DepositAsync(_account, amount, id));
        }

        private async Task GrantAsync(PlatformLedger ledger, string id, long now)
        {
            Money amount = Amount();
            long expires = now + _random.Next(1, 5_000) * 60_000L;
            await ledger.GrantAsync(_account, amount, id, DateTimeOffset.FromUnixTimeMilliseconds(expires));
            Plain.Give(amount.Units, now, expires);
        }

        private async Task PackAsync(PlatformLedger ledger, string id, long now)
        {
            Money price = _random.Next(3) == 0 ? Money.Zero(Currency.Usd) : Money.FromUnits(_random.NextInt64(300_000_000), Currency.Usd);
            UnitKind[] kinds = _random.Next(2) == 0 ? [UnitKind.Input, UnitKind.CachedInput, UnitKind.Output] : [UnitKind.Output, UnitKind.Reasoning];
            var scope = new PackScope(kinds, _random.Next(3) switch { 0 => [], 1 => ["glm-a"], _ => ["glm", "glm-x"] });
            var offer = new PackOffer(_random.Next(1, 100_000), price, scope, TimeSpan.FromMinutes(_random.Next(1, 5000)));
            bool bought = (await ledger.BuyPackAsync(_account, offer, id)).State == PostingState.Booked;
            bool expected = Plain.Buy(price.Units, now);
            Assert.True(bought == expected, $"{_last}: pack {bought}");
            if (bought)
                Plain.AddPack(price.Units, offer.Quantity, scope, now, now + (long)offer.Lifetime.TotalMilliseconds);
        }

        /// <summary>The old plan's rest comes back as credits and the new plan is paid.</summary>
        private async Task UpgradeAsync(PlatformLedger ledger, string id, long now)
        {
            Money rest = Amount();
            await ledger.GrantAsync(_account, rest, id + ":rest", source: CreditSource.PlanValue);
            Plain.Give(rest.Units, now, Lot.Never);
            Money price = rest + Amount();
            Purchase bought = await ledger.BuyPlanAsync(_account, price, id);
            bool expected = Plain.Buy(price.Units, now);
            Assert.True((bought.State == PostingState.Booked) == expected, $"{_last}: plan {bought.State}");
            if (expected)
            {
                Plain.BuyPlan(price.Units);
                Assert.Equal(price, bought.Cash + bought.Credits);
            }
        }

        private async Task RefundAsync(PlatformLedger ledger, string id)
        {
            Money amount = Amount();
            await ledger.RefundChargeAsync(_account, amount, id);
            Plain.Refund(amount.Units);
        }

        private async Task WithdrawAsync(PlatformLedger ledger, string id, long now)
        {
            Money amount = Amount();
            PostingState state = await ledger.WithdrawAsync(_account, amount, id, "", "", force: false, guard: null);
            bool expected = Plain.Withdraw(amount.Units, now);
            Assert.True((state == PostingState.Booked) == expected, $"{_last}: withdraw {state}");
        }

        private (Reservation Real, PlainHold? Plain) Take()
        {
            int index = _random.Next(_open.Count);
            (Reservation, PlainHold?) taken = _open[index];
            _open.RemoveAt(index);
            return taken;
        }

        private Money Amount() => Money.FromUnits(_random.NextInt64(1, _random.Next(2) == 0 ? 1_000_000_000 : 10_000_000), Currency.Usd);
    }
}
