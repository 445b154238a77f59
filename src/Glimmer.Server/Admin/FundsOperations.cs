using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Billing;
using static Glimmer.Server.Admin.AdminJson;

namespace Glimmer.Server.Admin;

/// <summary>
/// Money of any account: credits, packs, payments by hand, refunds, corrections. What carries a <c>reference</c> happens once: a second
/// one of it for the same account is refused.
/// </summary>
internal static class FundsOperations
{
    /// <summary>Most of one amount, so that no balance comes near what it can hold.</summary>
    private const decimal Most = 100_000_000;

    public static AdminOperation[] All { get; } =
    [
        new("GET", "/accounts/{account}/balance", "Shows an account's funds by currency.", call => Task.FromResult<Outcome<JsonNode?>>(Balances(call))),
        new("POST", "/accounts/{account}/credits", "Grants credits: amount, currency, expires, reference, memo.", GrantAsync),
        new("POST", "/accounts/{account}/packs", "Sells a pack, or gives one whose price is 0: quantity, units, models, price, currency, days, reference, memo.", PackAsync),
        new("POST", "/accounts/{account}/payments", "Records money that came in by other ways, such as a transfer: amount, currency, reference, note.", PayAsync),
        new("GET", "/accounts/{account}/payments", "Lists an account's payments.", async call => Written(await PaymentsAsync(call))),
        new("POST", "/accounts/{account}/payments/{payment}/refund", "Pays a payment back, or a part of it: amount (all that is left), note.", RefundAsync),
        new("POST", "/accounts/{account}/refunds", "Gives a charge back to the cash: amount, currency, reference, memo.", (call) => BookAsync(
            call, "charge.refund", signed: false, (platform, account, amount, id, memo) => platform.Ledger.RefundChargeAsync(account, amount, id, memo))),
        new("POST", "/accounts/{account}/adjustments", "Corrects the cash either way: amount, currency, reference, memo (needed).", (call) => BookAsync(
            call, "cash.adjust", signed: true, (platform, account, amount, id, memo) => platform.Ledger.AdjustAsync(account, amount, id, memo))),
    ];

    private static JsonObject Balances(AdminCall call) => Written(json => json.WriteList(
        "data", call.Platform.Ledger.CurrenciesOf(call.Account.PublicId).Select(currency => call.Platform.Ledger.BalanceOf(call.Account.PublicId, currency)), BillingJson.WriteBalance));

    private static async Task<Outcome<JsonNode?>> GrantAsync(AdminCall call)
    {
        DateTimeOffset? expires = call.Coming("expires");
        return await BookAsync(call, "credits.grant", signed: false, (platform, account, amount, id, memo) => platform.Ledger.GrantAsync(account, amount, id, expires, memo: memo));
    }

    private static async Task<Outcome<JsonNode?>> BookAsync(
        AdminCall call, string action, bool signed, Func<AdminPlatform, string, Money, string, string, Task<PostingState>> book)
    {
        Money amount = Amount(call, "amount", signed ? -Most : 0);
        string memo = call.Body.Text("memo", required: signed, max: 200) ?? "";
        string id = Reference(call, action);
        if (call.Error is { } error)
            return error;
        if (amount.IsZero)
            return PlatformError.Invalid("amount", "it is 0", "Use another amount");
        return await FinishAsync(call, action, amount.Currency, memo, async () => await book(call.Platform, call.Account.PublicId, amount, id, memo), new JsonObject { ["amount"] = amount.AmountText });
    }

    private static async Task<Outcome<JsonNode?>> PackAsync(AdminCall call)
    {
        long quantity = call.Body.Whole("quantity", 1, 1_000_000_000_000_000) ?? 0;
        IReadOnlyList<string>? units = call.Body.Texts("units", UsageUnits.Kinds, 1, 40);
        IReadOnlyList<string> models = call.Body.Texts("models", 100, 1, 100) ?? [];
        Money price = call.Body.Has("price") ? Amount(call, "price", 0) : Money.Zero(CurrencyOf(call));
        int days = (int)(call.Body.Whole("days", 1, 3650) ?? 0);
        string memo = call.Body.Text("memo", max: 200) ?? "";
        string id = Reference(call, "pack");
        var kinds = new List<UnitKind>();
        foreach (string word in units ?? [])
        {
            int kind = Array.IndexOf(BillingJson.UnitWords, word);
            if (kind < 0)
                call.Body.Fail(PlatformError.Invalid("units", $"\"{word}\" is not known", $"Use any of {string.Join(", ", BillingJson.UnitWords)}"));
            kinds.Add((UnitKind)kind);
        }

        if (call.Error is null && quantity == 0)
            return PlatformError.Missing("quantity", "Send how many units the pack holds");
        if (call.Error is null && kinds.Count == 0)
            return PlatformError.Missing("units", $"Send any of {string.Join(", ", BillingJson.UnitWords)}");
        if (call.Error is null && days == 0)
            return PlatformError.Missing("days", "Send how many days it can be used, 1 to 3650");
        if (call.Error is null && models.Any(model => model.Contains(' ', StringComparison.Ordinal)))
            return PlatformError.Invalid("models", "an entry has a blank", "Use model codes or families");
        if (call.Error is { } error)
            return error;
        var offer = new PackOffer(quantity, price, new PackScope(kinds, models), TimeSpan.FromDays(days));
        var details = new JsonObject { ["quantity"] = quantity, ["units"] = new JsonArray([.. units!.Select(unit => JsonValue.Create(unit))]), ["price"] = price.AmountText, ["days"] = days };
        return await FinishAsync(call, "pack.sell", price.Currency, memo, async () => (await call.Platform.Ledger.BuyPackAsync(call.Account.PublicId, offer, id, memo)).State, details);
    }

    private static async Task<Outcome<JsonNode?>> FinishAsync(AdminCall call, string action, Currency currency, string memo, Func<Task<PostingState>> book, JsonObject after)
    {
        if (call.Account.State == AccountState.Closed)
            return AdminErrors.Conflict("The account is closed", "账户已注销");
        JsonObject before = Funds(call, currency);
        switch (await book())
        {
            case PostingState.BookedBefore:
                return AdminErrors.Conflict("Something with this reference was booked before; nothing was changed", "该 reference 已入账，未作任何更改", "reference");
            case PostingState.Refused:
                return PlatformError.Of(BusinessCode.AccountInArrears);
        }

        foreach ((string name, JsonNode? value) in Funds(call, currency))
            after[name] = value?.DeepClone();
        after["memo"] = memo;
        await call.AuditAsync(action, call.Account.PublicId, before, after);
        return Balances(call);
    }

    private static async Task<Outcome<JsonNode?>> PayAsync(AdminCall call)
    {
        Money amount = Amount(call, "amount", 0);
        string? reference = call.Body.Text("reference", required: true, min: 1, max: 100);
        string note = call.Body.Text("note", max: 200) ?? "";
        if (call.Error is { } error)
            return error;
        if (call.Account.State == AccountState.Closed)
            return AdminErrors.Conflict("The account is closed", "账户已注销");
        JsonObject before = Funds(call, amount.Currency);
        (Payment? payment, PlatformError? refused) = await call.Platform.Payments.RecordAsync(call.Account.PublicId, amount, reference!, note.Length > 0 ? $"{call.Actor.Name}: {note}" : call.Actor.Name);
        if (payment is null)
            return refused!;
        JsonObject after = Funds(call, amount.Currency);
        after["amount"] = amount.AmountText;
        after["note"] = note;
        await call.AuditAsync("payment.record", payment.Id, before, after);
        return Written(json => BillingJson.WritePayment(json, payment));
    }

    private static async Task<Outcome<JsonNode?>> RefundAsync(AdminCall call)
    {
        string note = call.Body.Text("note", max: 200) ?? "";
        if (await call.Platform.Payments.FindAsync(call.Route("payment")) is not { } payment || payment.AccountId != call.Account.PublicId)
            return AdminErrors.Missing("payment", "支付记录");
        Money? amount = call.Body.Has("amount") ? Amount(call, "amount", 0, payment.Amount.Currency) : null;
        if (call.Error is { } error)
            return error;
        JsonObject before = Funds(call, payment.Amount.Currency);
        (Money back, PlatformError? refused) = await call.Platform.Payments.RefundAsync(payment.Id, amount, note.Length > 0 ? $"{call.Actor.Name}: {note}" : call.Actor.Name, call.Cancel);
        if (refused is not null)
            return refused;
        JsonObject after = Funds(call, payment.Amount.Currency);
        after["amount"] = back.AmountText;
        after["note"] = note;
        await call.AuditAsync("payment.refund", payment.Id, before, after);
        Payment now = (await call.Platform.Payments.FindAsync(payment.Id))!;
        return Written(json => BillingJson.WritePayment(json, now));
    }

    private static async Task<Action<System.Text.Json.Utf8JsonWriter>> PaymentsAsync(AdminCall call)
    {
        IReadOnlyList<Payment> payments = await call.Platform.Payments.ListAsync(call.Account.PublicId);
        return json => json.WriteList("data", payments, BillingJson.WritePayment);
    }

    private static JsonObject Funds(AdminCall call, Currency currency)
    {
        Balance balance = call.Platform.Ledger.BalanceOf(call.Account.PublicId, currency);
        return new JsonObject { ["currency"] = currency.Code, ["cash"] = balance.Cash.AmountText, ["credits"] = balance.Credits.AmountText };
    }

    private static Currency CurrencyOf(AdminCall call)
    {
        if (call.Body.Text("currency", max: 10) is not { } code)
            return call.Platform.Currency;
        if (Currency.TryParse(code, out Currency currency))
            return currency;
        call.Body.Fail(PlatformError.Invalid("currency", "it is no currency", "Use a code such as USD or CNY"));
        return call.Platform.Currency;
    }

    private static Money Amount(AdminCall call, string name, decimal least, Currency? fixedCurrency = null)
    {
        Currency currency = fixedCurrency ?? CurrencyOf(call);
        if (call.Body.Text(name, required: true, max: 40, numbers: true) is not { } text)
            return Money.Zero(currency);
        if (decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal amount)
            && amount >= least && amount <= Most && decimal.Round(amount, Money.Places) == amount)
        {
            return Money.Of(amount, currency);
        }

        call.Body.Fail(PlatformError.Invalid(name, "it is no amount, has too many places, or is out of range", string.Create(CultureInfo.InvariantCulture, $"Use a decimal number from {least} to {Most} with at most {Money.Places} places")));
        return Money.Zero(currency);
    }

    /// <summary>The transaction's id: the caller's reference makes it happen once.</summary>
    private static string Reference(AdminCall call, string action)
    {
        string reference = call.Body.Text("reference", min: 1, max: 64) ?? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));
        if (reference.Any(char.IsControl))
            call.Body.Fail(PlatformError.Invalid("reference", "it has control characters", "Use 1 to 64 printable characters"));
        return $"admin:{action}:{call.Account.PublicId}:{Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(reference)))[..24]}";
    }
}
