using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Server.Billing;
using Glimmer.Server.Hosting;
using Glimmer.Server.Telemetry;
using Glimmer.Server.Transport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Glimmer.Server.Tests.Billing;

public sealed class BillingEndpointTests
{
    private static readonly Price _price = new("glm-4.7", 4, Currency.Usd,
    [
        new PriceLine(UnitKind.Input, Money.Of(0.6m, Currency.Usd), 1_000_000), new PriceLine(UnitKind.CachedInput, Money.Of(0.11m, Currency.Usd), 1_000_000), new PriceLine(UnitKind.Output, Money.Of(2.2m, Currency.Usd), 1_000_000),
    ]);

    [Fact]
    public async Task An_account_reads_what_it_has_and_used()
    {
        await using var site = await Site.StartAsync();
        await site.Ledger.DepositAsync("a", Money.Of(20, Currency.Usd), "d1", "first");
        await site.Ledger.GrantAsync("a", Money.Of(0.001m, Currency.Usd), "g1", site.Time.GetUtcNow().AddDays(1));
        await site.UseAsync("a", 3);
        await site.UseAsync("b", 1);

        JsonElement balance = (await site.GetAsync("balance")).GetProperty("balances")[0];
        Assert.Equal(("USD", "19.994622", "0.00"), (balance.GetProperty("currency").GetString(), balance.GetProperty("cash").GetString(), balance.GetProperty("credits").GetString()));
        JsonElement usage = (await site.GetAsync("usage?split=model,key&span=month")).GetProperty("usage")[0];
        Assert.Equal((3, "glm-4.7", "k-a", 0.5), (usage.GetProperty("requests").GetInt32(), usage.GetProperty("model").GetString(), usage.GetProperty("key").GetString(), usage.GetProperty("cache_hit_rate").GetDouble()));
        Assert.Equal(("0.005378", "0.001"), (usage.GetProperty("cash").GetString(), usage.GetProperty("credits").GetString()));
        Assert.Equal(3000, usage.GetProperty("units").GetProperty("input_tokens").GetInt32());

        JsonElement page = await site.GetAsync("requests?limit=2");
        Assert.Equal(2, page.GetProperty("requests").GetArrayLength());
        JsonElement rest = await site.GetAsync($"requests?limit=2&next={page.GetProperty("next").GetString()}");
        Assert.Equal(1, rest.GetProperty("requests").GetArrayLength());
        Assert.Equal(JsonValueKind.Null, rest.GetProperty("next").ValueKind);
        Assert.Equal(4, rest.GetProperty("requests")[0].GetProperty("catalogue_version").GetInt32());
        JsonElement history = (await site.GetAsync("transactions")).GetProperty("transactions");
        Assert.Equal(["grant", "deposit"], history.EnumerateArray().Select(line => line.GetProperty("kind").GetString()));

        Assert.Equal(0, (await site.GetAsync("bills")).GetProperty("bills").GetArrayLength());
        site.Time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(3, (await site.GetAsync("bills")).GetProperty("bills")[0].GetProperty("requests").GetInt32());
        using HttpResponseMessage csv = await site.Client.GetAsync("/api/billing/bills?format=csv");
        Assert.Equal("text/csv", csv.Content.Headers.ContentType!.MediaType);
        Assert.EndsWith(".csv\"", csv.Content.Headers.ContentDisposition!.ToString(), StringComparison.Ordinal);
        Assert.Contains(",glm-4.7,3,0,3000,1500,", await csv.Content.ReadAsStringAsync());
        using HttpResponseMessage json = await site.Client.GetAsync("/api/billing/requests?format=json");
        Assert.Equal(3, (await json.Content.ReadFromJsonAsync<JsonElement>()).GetArrayLength());
    }

    [Theory]
    [InlineData("usage?from=2026-13-01", "from")]
    [InlineData("usage?from=2026-03-02&to=2026-03-01", "from")]
    [InlineData("usage?span=hour&from=2025-01-01", "from")]
    [InlineData("usage?span=7", "span")]
    [InlineData("usage?split=model,colour", "split")]
    [InlineData("usage?split=99", "split")]
    [InlineData("requests?limit=0", "limit")]
    [InlineData("requests?limit=501", "limit")]
    [InlineData("requests?next=x", "next")]
    [InlineData("requests?next=99999999999999999.1", "next")]
    [InlineData("transactions?next=-1.5", "next")]
    [InlineData("bills?format=xml", "format")]
    [InlineData("bills?to=9999-12-31", "to")]
    public async Task A_wrong_parameter_is_named(string address, string field)
    {
        await using var site = await Site.StartAsync();
        using HttpResponseMessage response = await site.Client.GetAsync("/api/billing/" + address);
        string body = await response.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains($"The parameter {field} is invalid", body);
        Assert.StartsWith("{\"error\":{\"code\":\"1214\"", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_recharge_goes_from_the_order_to_the_signed_message()
    {
        await using var site = await Site.StartAsync(provider: true);
        using HttpResponseMessage small = await site.PostAsync("checkout", """{"amount":"0.49"}""");
        Assert.Equal(HttpStatusCode.BadRequest, small.StatusCode);
        foreach (string odd in (string[])["{}", "[]", "", "{\"amount\":{}}", "{\"amount\":\"1e9\"}", "{\"amount\":5,\"currency\":\"€€€\"}", "{\"amount\":-5}", "{\"amount\":\"5\",\"provider\":\"x\"}"])
        {
            using HttpResponseMessage refused = await site.PostAsync("checkout", odd);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }

        using HttpResponseMessage forbidden = await site.PostAsync("checkout", """{"amount":5}""", "reader");
        Assert.Equal(HttpStatusCode.Forbidden, forbidden.StatusCode);
        using HttpResponseMessage opened = await site.PostAsync("checkout", """{"amount":"12.50"}""");
        JsonElement checkout = await opened.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("https://pay.example/cs_1", checkout.GetProperty("url").GetString());
        string id = checkout.GetProperty("payment_id").GetString()!;
        Assert.Contains(Uri.EscapeDataString("/billing?payment=paid"), site.Asked);

        string message = $$$"""{"id":"evt_1","type":"checkout.session.completed","data":{"object":{"amount_total":1250,"currency":"usd","payment_status":"paid","metadata":{"payment_id":"{{{id}}}"} } } }""";
        string signature = WebhookSignature.Sign("whsec", Encoding.UTF8.GetBytes(message), site.Time.GetUtcNow());
        using HttpResponseMessage forged = await site.TellAsync(message, signature + "0");
        Assert.Equal(HttpStatusCode.BadRequest, forged.StatusCode);
        using HttpResponseMessage nobody = await site.TellAsync(message, signature, "nobody");
        Assert.Equal(HttpStatusCode.BadRequest, nobody.StatusCode);
        for (int i = 0; i < 2; i++)
        {
            using HttpResponseMessage told = await site.TellAsync(message, signature);
            Assert.Equal(HttpStatusCode.OK, told.StatusCode);
        }

        using HttpResponseMessage large = await site.TellAsync(new string(' ', 600_000), signature);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);
        JsonElement payment = (await site.GetAsync("payments")).GetProperty("payments")[0];
        Assert.Equal(("paid", "12.50"), (payment.GetProperty("state").GetString(), payment.GetProperty("amount").GetString()));
        Assert.Equal("12.50", (await site.GetAsync("balance")).GetProperty("balances")[0].GetProperty("cash").GetString());
    }

    [Fact]
    public async Task Invoices_are_pages_or_json_and_only_for_their_account()
    {
        await using var site = await Site.StartAsync();
        await site.Ledger.DepositAsync("a", Money.Of(20, Currency.Usd), "d1");
        await site.UseAsync("a", 1);
        using HttpResponseMessage early = await site.PostAsync("invoices", """{"month":"2026-03","name":"Ann"}""");
        Assert.Equal(HttpStatusCode.BadRequest, early.StatusCode);
        site.Time.Advance(TimeSpan.FromDays(31));
        using HttpResponseMessage issued = await site.PostAsync("invoices", """{"month":"2026-03","name":"<b>Ann</b>","tax_number":"DE1"}""");
        Assert.Equal(1, (await issued.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("number").GetInt32());
        Assert.Equal(1, (await site.GetAsync("invoices")).GetProperty("invoices").GetArrayLength());
        using var asPage = new HttpRequestMessage(HttpMethod.Get, "/api/billing/invoices/1") { Headers = { { "Accept", "text/html" }, { "Accept-Language", "zh-CN" } } };
        using HttpResponseMessage page = await site.Client.SendAsync(asPage);
        string html = await page.Content.ReadAsStringAsync();
        Assert.Contains("账单 000001", html);
        Assert.Contains("&lt;b&gt;Ann", html);
        Assert.Contains("default-src 'none'", page.Headers.GetValues("Content-Security-Policy").Single());
        foreach ((string account, string number) in ((string, string)[])[("b", "1"), ("a", "2"), ("a", "x"), ("a", "-1")])
        {
            using var foreign = new HttpRequestMessage(HttpMethod.Get, $"/api/billing/invoices/{number}") { Headers = { { "X-Account", account } } };
            using HttpResponseMessage missing = await site.Client.SendAsync(foreign);
            Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        }
    }

    /// <summary>The billing pages on a port of their own; a header says who asks.</summary>
    private sealed class Site : IAsyncDisposable, IBillingCallers
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-billing-test-").FullName;
        private PlatformStore _store = null!;
        private WebApplication _app = null!;
        private WebApplication? _provider;
        private BillingParts _parts = null!;

        public Clock Time { get; } = new();

        public PlatformLedger Ledger { get; private set; } = null!;

        public HttpClient Client { get; } = new();

        /// <summary>What the provider was asked.</summary>
        public string Asked { get; private set; } = "";

        public static async Task<Site> StartAsync(bool provider = false)
        {
            var site = new Site();
            site._store = PlatformStore.Open(new StoreSettings { DataFolder = site._folder, Durability = StoreDurability.Off, Time = site.Time });
            site.Ledger = PlatformLedger.Open(site._store, new LedgerSettings { SweepEvery = TimeSpan.Zero });
            var options = new BillingOptions();
            if (provider)
            {
                site._provider = New();
                site._provider.Run(async context =>
                {
                    site.Asked = await new StreamReader(context.Request.Body).ReadToEndAsync();
                    await context.Response.WriteAsync("""{"id":"cs_1","url":"https://pay.example/cs_1"}""");
                });
                await site._provider.StartAsync();
                options = options with { ProviderAddress = AddressOf(site._provider), ProviderKey = "sk", WebhookSecrets = ["whsec"] };
            }

            site._app = New(services => services
                .AddSingleton(new GlimmerOptions())
                .AddSingleton<TimeProvider>(site.Time)
                .AddSingleton<GlimmerTelemetry>()
                .AddSingleton<IBillingCallers>(site)
                .AddBilling(site._parts = new BillingParts(site.Ledger, options)));
            site._app.UseMiddleware<RequestMiddleware>();
            site._app.UseRouting();
            site._app.MapBilling();
            await site._app.StartAsync();
            site.Client.BaseAddress = AddressOf(site._app);
            return site;
        }

        public ValueTask<BillingCaller?> IdentifyAsync(HttpContext context)
        {
            string account = context.Request.Headers["X-Account"].ToString();
            return new(new BillingCaller(account.Length == 0 ? "a" : account, account != "reader"));
        }

        public async Task UseAsync(string account, int requests)
        {
            for (int i = 0; i < requests; i++)
            {
                if (account != "a")
                    await Ledger.DepositAsync(account, Money.Of(1, Currency.Usd), $"d-{account}");
                var units = new UsageUnits { Input = 1000, CachedInput = 500, Output = 800 + (i * 5) };
                Assert.True(Ledger.TryReserve(new Payer(account, "p", $"k-{account}"), new Quote(_price, units), $"r{i}", out Reservation? held, out _));
                await Ledger.Settle(held, units, new SettleDetails(Surface: "chat")).Durable;
                Time.Advance(TimeSpan.FromMilliseconds(1));
            }
        }

        public async Task<JsonElement> GetAsync(string address)
        {
            using HttpResponseMessage response = await Client.GetAsync("/api/billing/" + address);
            string text = await response.Content.ReadAsStringAsync();
            Assert.True(response.IsSuccessStatusCode, text);
            return JsonDocument.Parse(text).RootElement;
        }

        public Task<HttpResponseMessage> PostAsync(string address, string body, string account = "a") =>
            Client.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/api/billing/" + address) { Content = new StringContent(body, Encoding.UTF8, "application/json"), Headers = { { "X-Account", account } } });

        public Task<HttpResponseMessage> TellAsync(string body, string signature, string provider = "stripe") =>
            Client.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/api/billing/webhook/" + provider) { Content = new StringContent(body, Encoding.UTF8, "application/json"), Headers = { { "Stripe-Signature", signature } } });

        public async ValueTask DisposeAsync()
        {
            Assert.Empty(await Ledger.AuditAsync());
            Client.Dispose();
            await _app.DisposeAsync();
            if (_provider is not null)
                await _provider.DisposeAsync();
            _parts.Dispose();
            await Ledger.DisposeAsync();
            await _store.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
        }

        private static WebApplication New(Action<IServiceCollection>? add = null)
        {
            WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "Glimmer.Server.Tests" });
            builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
            builder.Services.AddRoutingCore();
            add?.Invoke(builder.Services);
            return builder.Build();
        }

        private static Uri AddressOf(WebApplication app) => new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    }

    private sealed class Clock : TimeProvider
    {
        private DateTimeOffset _now = new(2026, 3, 10, 2, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => _now;

        public void Advance(TimeSpan by) => _now += by;
    }
}
