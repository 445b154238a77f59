using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Tests.Ledger;

/// <summary>A ledger on a fresh store. At its end the books are audited, and a ledger read from the store must agree.</summary>
internal sealed class TestLedger : IDisposable
{
    private readonly LedgerSettings _settings;
    private PlatformStore _store;

    public TestLedger(StoreKind kind, Func<LedgerSettings, LedgerSettings>? change = null)
    {
        Files = new TestStore(kind, Time);
        _settings = new LedgerSettings { SweepEvery = TimeSpan.Zero };
        _settings = change?.Invoke(_settings) ?? _settings;
        _store = Files.Open();
        Ledger = PlatformLedger.Open(_store, _settings);
    }

    public ManualTime Time { get; } = new();

    public TestStore Files { get; }

    public PlatformStore Store => _store;

    public PlatformLedger Ledger { get; private set; }

    public async Task RestartAsync()
    {
        await Ledger.DisposeAsync();
        await _store.DisposeAsync();
        _store = Files.Open();
        Ledger = PlatformLedger.Open(_store, _settings);
    }

    public Reservation Reserve(string account, Price price, int input, ChargeMode mode = ChargeMode.Balance, string key = "k1", SpendCap? cap = null)
    {
        Assert.True(Ledger.TryReserve(new Payer(account, "p", key, cap), new Quote(price, new UsageUnits { Input = input }, mode), "r", out Reservation? held, out PlatformError? error), error?.Message);
        return held;
    }

    public PlatformError Refused(string account, Price price, int input, SpendCap? cap = null)
    {
        Assert.False(Ledger.TryReserve(new Payer(account, "p", "k1", cap), new Quote(price, new UsageUnits { Input = input }), "r", out _, out PlatformError? error));
        return error;
    }

    public async Task<Money> Spend(string account, Price price, int input, string key = "k1", SpendCap? cap = null)
    {
        Settlement settled = Ledger.Settle(Reserve(account, price, input, key: key, cap: cap), new UsageUnits { Input = input });
        await settled.Durable;
        return settled.Charged;
    }

    public static async Task Spend(PlatformLedger ledger, string account, Price price, int input)
    {
        Assert.True(ledger.TryReserve(new Payer(account, "p", "k1"), new Quote(price, new UsageUnits { Input = input }), "r", out Reservation? held, out _));
        await ledger.Settle(held, new UsageUnits { Input = input }).Durable;
    }

    public void Dispose()
    {
        IReadOnlyList<string> faults = Ledger.AuditAsync().GetAwaiter().GetResult();
        Assert.Empty(faults);
        Dictionary<string, WalletPicture> before = Pictures();
        RestartAsync().GetAwaiter().GetResult();
        foreach ((string name, WalletPicture picture) in Pictures())
        {
            WalletPicture old = before[name];
            Assert.Equal((old.Cash, old.Credits), (picture.Cash, picture.Credits));
            Assert.Equal(old.Packs.Select(pack => (pack.Lot.Id, pack.Units, pack.Quantity)), picture.Packs.Select(pack => (pack.Lot.Id, pack.Units, pack.Quantity)));
            Assert.Equal(old.CreditLots.Select(lot => (lot.Lot.Id, lot.Units)), picture.CreditLots.Select(lot => (lot.Lot.Id, lot.Units)));
            Assert.Equal(0, picture.Held);
        }

        Ledger.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _store.Dispose();
        Files.Dispose();
    }

    private Dictionary<string, WalletPicture> Pictures() => Ledger.Wallets.ToDictionary(wallet => $"{wallet.AccountId} {wallet.Currency}", wallet => wallet.Picture(Ledger.Now), StringComparer.Ordinal);
}
