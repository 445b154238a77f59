using System.Net;
using System.Text.Json;
using Glimmer.Platform.Billing;
using Glimmer.Server.Billing;
using Glimmer.Server.Hosting;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Billing;

public sealed class BillingServerTests
{
    [Fact]
    public async Task A_key_reads_the_books_of_its_account_and_nobody_else_does()
    {
        await using ServerHarness server = await ServerHarness.StartAsync();
        await server.ChatAsync("""{"model":"glimmer-tiny","messages":[{"role":"user","content":"hi"}]}""");
        using HttpResponseMessage mine = await server.Client.GetAsync("/api/billing/usage?split=key,model");
        JsonElement usage = JsonDocument.Parse(await mine.Content.ReadAsStringAsync()).RootElement.GetProperty("usage");
        Assert.Equal(1, Assert.Single(usage.EnumerateArray()).GetProperty("requests").GetInt32());
        Assert.Empty(await server.Server.Ledger.AuditAsync());
        using var stranger = new HttpClient { BaseAddress = server.Client.BaseAddress };
        foreach (string page in (string[])["balance", "usage", "bills", "requests", "transactions", "payments", "invoices", "invoices/1"])
        {
            using HttpResponseMessage refused = await stranger.GetAsync($"/api/billing/{page}");
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        }

        using HttpResponseMessage hook = await stranger.PostAsync("/api/billing/webhook/stripe", new StringContent("{}"));
        Assert.Equal(HttpStatusCode.BadRequest, hook.StatusCode);
    }

    [Fact]
    public async Task A_provider_without_a_webhook_secret_stops_the_start()
    {
        GlimmerStartupException fault = await Assert.ThrowsAsync<GlimmerStartupException>(() => ServerHarness.StartAsync(options => options with { Billing = new BillingOptions { ProviderKey = "sk" } }));
        Assert.Equal(78, fault.ExitCode);
        Assert.Contains("Billing:WebhookSecrets", fault.Message);
        await using ServerHarness server = await ServerHarness.StartAsync(options => options with { Billing = new BillingOptions { ProviderKey = "sk", WebhookSecrets = ["whsec"], Payments = new PaymentSettings { Least = 1 } } });
        Assert.Equal(["stripe"], server.Server.Payments.Providers);
    }
}
