using System.Globalization;
using System.Text;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Ledger;
using Glimmer.Platform.Tests.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Tests.Billing;

public sealed class PaymentTests
{
    private const string Secret = "whsec_test";
    private static readonly Uri _back = new("https://console.example/billing");

    [Theory, EachStore]
    public async Task A_recharge_is_booked_once_however_often_it_is_told(StoreKind kind)
    {
        using var test = new Desk(kind);
        (string? id, Checkout? checkout, PlatformError? error) = await test.Payments.BeginAsync("Stripe", "a", Usd(12.5m), _back, _back);
        Assert.Null(error);
        Assert.StartsWith(test.Fake.Address.AbsoluteUri, checkout!.Url.AbsoluteUri, StringComparison.Ordinal);
        (string path, string? authorization, string? key, string body) = Assert.Single(test.Fake.Asked);
        Assert.Equal(("/v1/checkout/sessions", "Bearer sk_test", $"checkout-{id}"), (path, authorization, key));
        Assert.Contains("unit_amount%5D=1250", body);
        Assert.Contains("currency%5D=usd", body);
        Assert.Equal(Usd(0), test.Cash);

        byte[] paid = Completed("evt_1", id!, 1250);
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => test.TellAsync(paid)));
        Assert.Equal(WebhookOutcome.Ignored, (await test.TellAsync(Completed("evt_2", id!, 1250))).Outcome);
        await test.Books.RestartAsync();
        test.Renew();
        Assert.Equal(WebhookOutcome.Ignored, (await test.TellAsync(paid)).Outcome);
        Assert.Equal(Usd(12.5m), test.Cash);
        Payment payment = Assert.Single(await test.Payments.ListAsync("a"));
        Assert.Equal((PaymentState.Paid, Usd(12.5m)), (payment.State, payment.Amount));
        Assert.Empty(await test.Payments.ListAsync("b"));
    }

    [Theory, EachStore]
    public async Task Messages_that_are_forged_old_or_odd_change_nothing(StoreKind kind)
    {
        using var test = new Desk(kind);
        (string? id, _, _) = await test.Payments.BeginAsync(null, "a", Usd(5), _back, _back);
        byte[] paid = Completed("evt_1", id!, 500);
        DateTimeOffset now = test.Books.Time.GetUtcNow();
        foreach (string? header in (string?[])
        [
            null, "", "t=1", "v1=00", "garbage", new string('x', 10_000), "t=99999999999999999999,v1=" + new string('0', 64),
            WebhookSignature.Sign("other", paid, now),
            WebhookSignature.Sign(Secret, paid, now.AddSeconds(-301)),
            WebhookSignature.Sign(Secret, paid, now.AddSeconds(301)),
            WebhookSignature.Sign(Secret, Completed("evt_1", id!, 50_000), now),
            "t=" + now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture) + ",v0=" + new string('0', 64),
        ])
        {
            Assert.Equal(WebhookOutcome.Refused, (await test.Payments.ReceiveAsync("stripe", header, paid)).Outcome);
        }

        foreach (string odd in (string[])["", "[]", "1", "{", "{\"id\":\"e\"}", "{\"id\":\"e\",\"type\":\"charge.refunded\",\"data\":[]}", "{\"id\":5,\"type\":{},\"data\":{\"object\":1}}", new string('[', 100)])
            Assert.Equal(WebhookOutcome.Refused, (await test.TellAsync(Encoding.UTF8.GetBytes(odd))).Outcome);
        Assert.Equal(WebhookOutcome.Refused, (await test.Payments.ReceiveAsync("nobody", "", paid)).Outcome);
        Assert.Equal(WebhookOutcome.Ignored, (await test.TellAsync(Completed("evt_3", id!, 500, status: "unpaid"))).Outcome);
        Assert.Equal(WebhookOutcome.Unknown, (await test.TellAsync(Completed("evt_4", "pay_0", 500))).Outcome);
        Assert.Equal(WebhookOutcome.Mismatch, (await test.TellAsync(Completed("evt_5", id!, 499))).Outcome);
        Assert.Equal(WebhookOutcome.Mismatch, (await test.TellAsync(Completed("evt_6", id!, 500, currency: "cny"))).Outcome);
        Assert.Equal(PaymentState.Mismatch, (await test.Payments.FindAsync(id!))!.State);
        Assert.Equal(Usd(0), test.Cash);

        // Two secrets while one is being replaced, in either place of the header.
        string both = WebhookSignature.Sign("new", paid, now) + WebhookSignature.Sign(Secret, paid, now)[12..];
        Assert.Null(WebhookSignature.Check([Secret], both, paid, now, TimeSpan.FromMinutes(5)));
        Assert.Null(WebhookSignature.Check(["new", "older"], both, paid, now, TimeSpan.FromMinutes(5)));
        Assert.Equal(WebhookOutcome.Applied, (await test.TellAsync(paid)).Outcome);
    }

    [Fact]
    public async Task The_order_of_messages_does_not_matter()
    {
        using var test = new Desk(StoreKind.Sqlite);
        for (int seed = 0; seed < 60; seed++)
        {
            var random = new Random(seed);
            string account = $"account-{seed}";
            (string? id, _, _) = await test.Payments.BeginAsync(null, account, Usd(10), _back, _back);
            List<byte[]> messages =
            [
                Completed($"evt_{seed}_paid", id!, 1000), Event($"evt_{seed}_expired", "checkout.session.expired", id!, 1000), Refunded($"evt_{seed}_r1", id!, 300), Refunded($"evt_{seed}_r2", id!, 450),
            ];
            messages.AddRange([.. messages.Where(_ => random.Next(2) == 0)]);
            byte[][] order = [.. messages];
            random.Shuffle(order);
            foreach (byte[] message in order)
                await test.TellAsync(message);
            Payment payment = (await test.Payments.FindAsync(id!))!;
            Assert.Equal((PaymentState.Paid, Usd(4.5m)), (payment.State, payment.Refunded));
            Assert.Equal(Usd(5.5m), test.Books.Ledger.BalanceOf(account, Currency.Usd).Cash);
        }
    }

    [Theory, EachStore]
    public async Task Refunds_are_never_more_than_was_paid_or_is_there(StoreKind kind)
    {
        using var test = new Desk(kind);
        string id = await test.PaidAsync(10);
        Assert.NotNull((await test.Payments.RefundAsync(id, Usd(10.01m), "")).Error);
        Assert.NotNull((await test.Payments.RefundAsync(id, Usd(0), "")).Error);
        Assert.NotNull((await test.Payments.RefundAsync(id, Usd(-1), "")).Error);
        Assert.NotNull((await test.Payments.RefundAsync(id, Usd(0.001m), "")).Error);
        Assert.NotNull((await test.Payments.RefundAsync(id, Money.Of(1, Currency.Cny), "")).Error);
        Assert.NotNull((await test.Payments.RefundAsync("pay_none", null, "")).Error);
        (Money, PlatformError? Error)[] both = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => test.Payments.RefundAsync(id, Usd(3), "asked for")));
        Assert.Equal(3, both.Count(result => result.Error is null));
        Assert.Equal(Usd(1), test.Cash);
        Assert.Equal(3, test.Fake.Refunds);

        // The provider then tells the sum, which is known, and a further one made at the provider.
        await test.TellAsync(Refunded("evt_r", id, 900));
        Assert.Equal(Usd(1), test.Cash);
        await test.Books.Spend("a", PriceTests.Tokens("1", "1", "1", per: 10), 10);
        Assert.NotNull((await test.Payments.RefundAsync(id, null, "")).Error);
        await test.TellAsync(Refunded("evt_r2", id, 1000));
        Assert.Equal(Usd(-1), test.Cash);
        await test.TellAsync(Refunded("evt_r3", id, 5000));
        Assert.Equal(Usd(-1), test.Cash);
    }

    [Theory, EachStore]
    public async Task A_provider_that_refuses_or_is_away_is_dealt_with(StoreKind kind)
    {
        using var test = new Desk(kind);
        string id = await test.PaidAsync(10);
        test.Fake.RefundStatus = "failed";
        Assert.Equal(502, (await test.Payments.RefundAsync(id, Usd(4), "")).Error!.Status);
        Assert.Equal(Usd(10), test.Cash);
        Assert.Equal(Usd(0), (await test.Payments.FindAsync(id))!.Refunded);

        test.Fake.RefundStatus = "succeeded";
        test.Fake.Status = 0;
        Assert.Equal(Usd(4), (await test.Payments.RefundAsync(id, Usd(4), "")).Refunded);
        Assert.Equal(Usd(6), test.Cash);
        (_, _, PlatformError? away) = await test.Payments.BeginAsync(null, "a", Usd(5), _back, _back);
        Assert.Equal(502, away!.Status);
        await test.Books.RestartAsync();
        test.Renew();
        await test.Payments.ResumeAsync();
        test.Fake.Status = 200;
        int before = test.Fake.Refunds;
        await test.Payments.ResumeAsync();
        await test.Payments.ResumeAsync();
        Assert.Equal(before + 1, test.Fake.Refunds);
        Assert.Equal(Usd(6), test.Cash);
    }

    [Theory, EachStore]
    public async Task Amounts_below_the_least_or_odd_are_refused(StoreKind kind)
    {
        using var test = new Desk(kind);
        foreach (decimal amount in (decimal[])[0.49m, 0, -5, 1.001m, 10_000.01m])
        {
            (_, _, PlatformError? error) = await test.Payments.BeginAsync(null, "a", Usd(amount), _back, _back);
            Assert.Equal((BusinessCode.ParameterInvalid, "amount"), (error!.Code, error.Field));
        }

        Assert.NotNull((await test.Payments.BeginAsync("paypal", "a", Usd(5), _back, _back)).Error);
        Assert.NotNull((await test.Payments.BeginAsync(null, "a", Money.Of(5.5m, Currency.Parse("JPY")), _back, _back)).Error);
        Assert.Null((await test.Payments.BeginAsync(null, "a", Usd(0.5m), _back, _back)).Error);
        Assert.Null((await test.Payments.BeginAsync(null, "a", Money.Of(500, Currency.Parse("JPY")), _back, _back)).Error);
        Assert.Contains("unit_amount%5D=500", test.Fake.Asked.Last().Body);
    }

    [Theory, EachStore]
    public async Task A_bank_transfer_is_recorded_once_by_hand_and_can_be_paid_back(StoreKind kind)
    {
        using var test = new Desk(kind);
        (Payment? payment, PlatformError? error) = await test.Payments.RecordAsync("a", Usd(250_000), "SWIFT 77", "by admin");
        Assert.Null(error);
        Assert.Equal((PaymentDesk.Manual, PaymentState.Paid), (payment!.Provider, payment.State));
        Assert.NotNull((await test.Payments.RecordAsync("a", Usd(250_000), "SWIFT 77", "again")).Error);
        Assert.NotNull((await test.Payments.RecordAsync("a", Usd(1), "", "")).Error);
        Assert.Equal(Usd(250_000), test.Cash);
        Assert.Equal(Usd(250_000), (await test.Payments.RefundAsync(payment.Id, null, "sent back")).Refunded);
        Assert.Equal(Usd(0), test.Cash);
        Assert.Empty(test.Fake.Asked);
    }

    private static Money Usd(decimal amount) => Money.Of(amount, Currency.Usd);

    private static byte[] Completed(string id, string payment, long cents, string status = "paid", string currency = "usd") =>
        Event(id, "checkout.session.completed", payment, cents, status, currency);

    private static byte[] Event(string id, string type, string payment, long cents, string status = "unpaid", string currency = "usd") => Encoding.UTF8.GetBytes(
        $$$"""{"id":"{{{id}}}","type":"{{{type}}}","data":{"object":{"id":"cs_1","amount_total":{{{cents}}},"currency":"{{{currency}}}","payment_status":"{{{status}}}","payment_intent":"pi_{{{payment}}}","client_reference_id":"{{{payment}}}","metadata":{} } } }""");

    private static byte[] Refunded(string id, string payment, long cents) => Encoding.UTF8.GetBytes(
        $$$"""{"id":"{{{id}}}","type":"charge.refunded","data":{"object":{"id":"ch_1","amount":1000,"amount_refunded":{{{cents}}},"currency":"usd","payment_intent":"pi_{{{payment}}}","metadata":{"payment_id":"{{{payment}}}"} } } }""");

    private sealed class Desk : IDisposable
    {
        private readonly HttpClient _http = new();

        public Desk(StoreKind kind)
        {
            Books = new TestLedger(kind);
            Renew();
        }

        public FakeProvider Fake { get; } = new();

        public TestLedger Books { get; }

        public PaymentDesk Payments { get; private set; } = null!;

        public Money Cash => Books.Ledger.BalanceOf("a", Currency.Usd).Cash;

        public void Renew() => Payments = new PaymentDesk(
            Books.Ledger, [new CheckoutProvider(_http, new CheckoutProviderSettings { BaseAddress = Fake.Address, SecretKey = "sk_test", WebhookSecrets = [Secret] })], new PaymentSettings());

        public Task<(WebhookOutcome Outcome, string Detail)> TellAsync(byte[] body) =>
            Payments.ReceiveAsync("stripe", WebhookSignature.Sign(Secret, body, Books.Time.GetUtcNow()), body);

        public async Task<string> PaidAsync(int dollars)
        {
            (string? id, _, _) = await Payments.BeginAsync(null, "a", Usd(dollars), _back, _back);
            Assert.Equal(WebhookOutcome.Applied, (await TellAsync(Completed($"evt_{id}", id!, dollars * 100))).Outcome);
            return id!;
        }

        public void Dispose()
        {
            Books.Dispose();
            Fake.Dispose();
            _http.Dispose();
        }
    }
}
