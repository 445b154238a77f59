using System.Data.Common;
using System.Security.Cryptography;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Billing;

/// <summary>
/// Recharges and their refunds. A payment is booked once, whatever a provider sends, how often and in which order: the
/// booking's id is the payment's, and a refund is booked up to the highest sum that was told.
/// </summary>
public sealed class PaymentDesk(PlatformLedger ledger, IReadOnlyList<IPaymentProvider> providers, PaymentSettings settings)
{
    /// <summary>The name of payments that an administrator records.</summary>
    public const string Manual = "manual";

    private const string Columns = "id, provider, account, currency, amount, refunded, state, created, paid, note, provider_charge, provider_refunded";

    private PlatformStore Store => ledger.Store;

    /// <summary>The providers' names.</summary>
    public IReadOnlyList<string> Providers => [.. providers.Select(static provider => provider.Name)];

    /// <summary>Begins a recharge: opens a page at the provider.</summary>
    /// <param name="provider">The provider's name; null for the first.</param>
    /// <param name="accountId">Whose.</param>
    /// <param name="amount">How much: whole cents within the settings.</param>
    /// <param name="successUrl">Where the payer goes afterwards.</param>
    /// <param name="cancelUrl">Where the payer goes who does not pay.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>The payment's id and the page, or what is wrong.</returns>
    public async Task<(string? PaymentId, Checkout? Checkout, PlatformError? Error)> BeginAsync(
        string? provider, string accountId, Money amount, Uri successUrl, Uri cancelUrl, CancellationToken cancel = default)
    {
        if (Find(provider) is not { } chosen)
            return (null, null, PlatformError.Invalid("provider", provider is null ? "no payment provider is set up" : "no such payment provider", providers.Count == 0 ? "Ask the administrator" : $"Legal is {string.Join(", ", Providers)}"));
        if (Problem(amount, settings.Most) is { } error)
            return (null, null, error);
        string id = "pay_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));
        await Store.WriteAsync(
            session =>
            {
                Insert(session, id, chosen.Name, accountId, amount, PaymentState.Open, note: "");
                return true;
            },
            cancel);
        try
        {
            Checkout checkout = await chosen.OpenCheckoutAsync(new CheckoutOrder(id, accountId, amount, successUrl, cancelUrl, $"Glimmer recharge {amount}"), cancel);
            await Store.WriteAsync(session => session.Execute("UPDATE ledger_payments SET provider_reference = @Reference WHERE id = @id", new { checkout.Reference, id }), cancel);
            return (id, checkout, null);
        }
        catch (PaymentProviderException fault)
        {
            await Store.WriteAsync(session => session.Execute("UPDATE ledger_payments SET state = 2, note = @note WHERE id = @id AND state = 0", new { note = StoredText.Of(fault.Message, StoredText.MemoLength), id }), cancel);
            return (null, null, new PlatformError(BusinessCode.CallFailed, "The payment provider cannot take a payment now, please try again later") { Chinese = "支付渠道暂不可用，请稍后重试", Status = 502 });
        }
    }

    /// <summary>Records money that came in by other ways, such as a bank transfer, and books it.</summary>
    /// <param name="accountId">Whose.</param>
    /// <param name="amount">How much; above nothing, whole cents.</param>
    /// <param name="reference">The transfer's own reference: a second one of it is not booked.</param>
    /// <param name="note">Who recorded it and why.</param>
    public async Task<(Payment? Payment, PlatformError? Error)> RecordAsync(string accountId, Money amount, string reference, string note)
    {
        if (Problem(amount, decimal.MaxValue) is { } error)
            return (null, error);
        if (reference.Length is 0 or > 100 || StoredText.Of(reference, 100) != reference)
            return (null, PlatformError.Invalid("reference", "it is empty, too long or has characters that can't be stored", "1 to 100 characters that are the transfer's own"));
        string id = "man_" + Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"{accountId}\n{reference}")))[..24];
        PostingState state = await ledger.DepositAsync(accountId, amount, $"payment:{id}", note, id, session =>
        {
            Insert(session, id, Manual, accountId, amount, PaymentState.Paid, note);
            session.Execute("UPDATE ledger_payments SET provider_reference = @id, paid = @Now WHERE id = @id", new { id, ledger.Now });
            return true;
        });
        if (state != PostingState.Booked)
            return (null, PlatformError.Invalid("reference", "a transfer with this reference was recorded before", "Use the transfer's own reference"));
        return (await FindAsync(id), null);
    }

    /// <summary>Takes a provider's message in.</summary>
    /// <param name="provider">The provider's name in the address.</param>
    /// <param name="signature">Its signature header.</param>
    /// <param name="body">The body, byte for byte.</param>
    public async Task<(WebhookOutcome Outcome, string Detail)> ReceiveAsync(string provider, string? signature, ReadOnlyMemory<byte> body)
    {
        if (Find(provider) is not { } sender)
            return (WebhookOutcome.Refused, "no such payment provider");
        (PaymentEvent? message, string? problem) = sender.Read(signature, body.Span, DateTimeOffset.FromUnixTimeMilliseconds(ledger.Now));
        if (message is null)
            return (WebhookOutcome.Refused, problem!);
        if (message.Kind == PaymentEventKind.Other)
            return (WebhookOutcome.Ignored, "nothing to do");
        Row? row = await Store.ReadAsync(session => Read(session, "id = @PaymentId AND provider = @Name", new { message.PaymentId, sender.Name }));
        if (row is null)
            return (WebhookOutcome.Unknown, "no such payment");
        if (message.Kind is PaymentEventKind.Paid ? message.Amount != row.Payment.Amount : message.Amount.Currency != row.Payment.Amount.Currency)
        {
            await NoteAsync(sender, message, "UPDATE ledger_payments SET state = 4 WHERE id = @PaymentId AND state <> 1");
            return (WebhookOutcome.Mismatch, $"payment {message.PaymentId} is {row.Payment.Amount}, the provider tells {message.Amount}");
        }

        bool changed = message.Kind switch
        {
            PaymentEventKind.Paid => await PaidAsync(sender, message, row),
            PaymentEventKind.Refunded => await NoteAsync(
                sender, message, "UPDATE ledger_payments SET provider_refunded = CASE WHEN provider_refunded < @Units THEN @Units ELSE provider_refunded END, provider_charge = COALESCE(provider_charge, @Charge) WHERE id = @PaymentId"),
            PaymentEventKind.Failed => await NoteAsync(sender, message, "UPDATE ledger_payments SET state = 2 WHERE id = @PaymentId AND state IN (0, 3)"),
            _ => await NoteAsync(sender, message, "UPDATE ledger_payments SET state = 3 WHERE id = @PaymentId AND state = 0"),
        };
        await BookToldRefundsAsync(message.PaymentId);
        return (changed ? WebhookOutcome.Applied : WebhookOutcome.Ignored, "");
    }

    /// <summary>Pays a part of a payment back, at most what is left of it and what cash there is.</summary>
    /// <param name="paymentId">The payment.</param>
    /// <param name="amount">How much; null for all that is left.</param>
    /// <param name="note">Who did it and why.</param>
    /// <param name="cancel">Ends the wait for the provider; the refund is then finished later by <see cref="ResumeAsync"/>.</param>
    /// <returns>What was paid back, or why not.</returns>
    public async Task<(Money Refunded, PlatformError? Error)> RefundAsync(string paymentId, Money? amount, string note, CancellationToken cancel = default)
    {
        if (await Store.ReadAsync(session => Read(session, "id = @paymentId", new { paymentId }), cancel: cancel) is not { } row || row.Payment.State != PaymentState.Paid)
            return (default, PlatformError.Invalid("payment", "there is no such paid payment", "Use the id of a paid payment"));
        Money left = row.Payment.Amount - row.Payment.Refunded;
        Money back = amount ?? left;
        if (back.Currency != left.Currency || !back.IsPositive || back > left || !Coins.IsPayable(back))
            return (default, PlatformError.Invalid("amount", $"it is {back}", $"Above 0 and at most {left}, in whole cents"));

        string id = "ref_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));
        PostingState state = await ledger.WithdrawAsync(row.Payment.AccountId, back, $"refund:{id}", note, paymentId, force: false, session =>
        {
            if (session.Execute("UPDATE ledger_payments SET refunded = refunded + @Units WHERE id = @paymentId AND state = 1 AND refunded + @Units <= amount", new { back.Units, paymentId }) == 0)
                return false;
            session.Execute(
                "INSERT INTO ledger_payment_refunds (id, payment, amount, state, created, note) VALUES (@id, @paymentId, @Units, @state, @Now, @note)",
                new { id, paymentId, back.Units, state = row.Payment.Provider == Manual ? 1L : 0L, ledger.Now, note = StoredText.Of(note, StoredText.MemoLength) });
            return true;
        });
        if (state != PostingState.Booked)
            return (default, PlatformError.Invalid("amount", $"the account's cash or what is left of the payment is less than {back}", "Refund less"));
        return row.Payment.Provider == Manual || await FinishAsync(row, id, back, cancel)
            ? (back, null)
            : (default, new PlatformError(BusinessCode.CallFailed, "The payment provider refused the refund; it was booked back") { Chinese = "支付渠道拒绝退款，款项已退回余额", Status = 502 });
    }

    /// <summary>Finishes refunds that a stop or an unreachable provider left; call it at the start and now and then.</summary>
    public async Task ResumeAsync(CancellationToken cancel = default)
    {
        List<(string Id, string Payment, long Amount)> open = await Store.ReadAsync(
            session => session.List<(string, string, long)>("SELECT id, payment, amount FROM ledger_payment_refunds WHERE state = 0 ORDER BY created"), cancel: cancel);
        foreach ((string id, string payment, long amount) in open)
        {
            if (await Store.ReadAsync(session => Read(session, "id = @payment", new { payment }), cancel: cancel) is { } row)
                await FinishAsync(row, id, Money.FromUnits(amount, row.Payment.Amount.Currency), cancel);
        }
    }

    /// <summary>A payment; null when there is none.</summary>
    public async Task<Payment?> FindAsync(string paymentId) =>
        (await Store.ReadAsync(session => Read(session, "id = @paymentId", new { paymentId })))?.Payment;

    /// <summary>An account's payments, newest first, at most 500.</summary>
    public async Task<IReadOnlyList<Payment>> ListAsync(string accountId) => await Store.ReadAsync(session =>
    {
        var list = new List<Payment>();
        using DbDataReader reader = session.Read($"SELECT {Columns} FROM ledger_payments WHERE account = @accountId ORDER BY created DESC, id LIMIT 500", new { accountId });
        while (reader.Read())
            list.Add(Read(reader).Payment);
        return list;
    });

    private async Task<bool> PaidAsync(IPaymentProvider sender, PaymentEvent message, Row row)
    {
        PostingState state = await ledger.DepositAsync(row.Payment.AccountId, row.Payment.Amount, $"payment:{message.PaymentId}", sender.Name, message.PaymentId, session =>
        {
            session.Execute(
                "INSERT INTO ledger_payment_events (provider, event, kind, at) VALUES (@Name, @Id, @Kind, @Now) ON CONFLICT (provider, event) DO NOTHING",
                new { sender.Name, message.Id, Kind = message.Kind.ToString(), ledger.Now });
            session.Execute(
                "UPDATE ledger_payments SET state = 1, paid = @Now, provider_charge = COALESCE(@Charge, provider_charge) WHERE id = @PaymentId", new { ledger.Now, message.Charge, message.PaymentId });
            return true;
        });
        return state == PostingState.Booked;
    }

    /// <summary>Notes a message and changes the payment; false when the message was known.</summary>
    private Task<bool> NoteAsync(IPaymentProvider sender, PaymentEvent message, string change) => Store.WriteAsync(session =>
    {
        int added = session.Execute(
            "INSERT INTO ledger_payment_events (provider, event, kind, at) VALUES (@Name, @Id, @Kind, @Now) ON CONFLICT (provider, event) DO NOTHING",
            new { sender.Name, message.Id, Kind = message.Kind.ToString(), ledger.Now });
        return added != 0 && session.Execute(change, new { message.PaymentId, message.Amount.Units, message.Charge }) != 0;
    });

    /// <summary>Books what the provider has paid back beyond what is booked. The cash may go below nothing by it.</summary>
    private async Task BookToldRefundsAsync(string paymentId)
    {
        if (await Store.ReadAsync(session => Read(session, "id = @paymentId", new { paymentId })) is not { Payment.State: PaymentState.Paid } row)
            return;
        long told = Math.Min(row.ToldRefunded, row.Payment.Amount.Units);
        long missing = told - row.Payment.Refunded.Units;
        if (missing <= 0)
            return;
        await ledger.WithdrawAsync(
            row.Payment.AccountId, Money.FromUnits(missing, row.Payment.Amount.Currency), $"refunded:{paymentId}:{told}", row.Payment.Provider, paymentId, force: true,
            session => session.Execute(
                "UPDATE ledger_payments SET refunded = @told WHERE id = @paymentId AND refunded = @before", new { told, paymentId, before = row.Payment.Refunded.Units }) != 0);
    }

    private async Task<bool> FinishAsync(Row row, string refundId, Money amount, CancellationToken cancel)
    {
        if (Find(row.Payment.Provider) is not { } provider || row.Charge is not { } charge)
            return true;   // stays open until the provider is set up again or has told the charge
        try
        {
            await provider.RefundAsync(refundId, charge, amount, cancel);
            await Store.WriteAsync(session => session.Execute("UPDATE ledger_payment_refunds SET state = 1 WHERE id = @refundId", new { refundId }), CancellationToken.None);
            return true;
        }
        catch (PaymentProviderException fault) when (fault.Refused)
        {
            await ledger.DepositAsync(row.Payment.AccountId, amount, $"refund-refused:{refundId}", "refund refused", row.Payment.Id, session =>
            {
                session.Execute("UPDATE ledger_payment_refunds SET state = 2 WHERE id = @refundId", new { refundId });
                session.Execute("UPDATE ledger_payments SET refunded = refunded - @Units WHERE id = @Id", new { amount.Units, row.Payment.Id });
                return true;
            });
            return false;
        }
        catch (PaymentProviderException)
        {
            return true;   // booked here; the provider is told when it can be reached
        }
    }

    private PlatformError? Problem(Money amount, decimal most) =>
        amount.Amount < settings.Least || amount.Amount > most || !Coins.IsPayable(amount)
            ? PlatformError.Invalid("amount", $"it is {amount}", $"At least {settings.Least:0.00}{(most == decimal.MaxValue ? "" : $" and at most {most:0.00}")} {amount.Currency}, in whole cents")
            : null;

    private IPaymentProvider? Find(string? name) =>
        providers.FirstOrDefault(provider => name is null || string.Equals(provider.Name, name, StringComparison.OrdinalIgnoreCase));

    private void Insert(StoreSession session, string id, string provider, string account, Money amount, PaymentState state, string note) =>
        session.Execute(
            "INSERT INTO ledger_payments (id, provider, provider_reference, provider_charge, account, currency, amount, refunded, provider_refunded, state, created, paid, note) "
            + "VALUES (@id, @provider, NULL, NULL, @account, @Code, @Units, 0, 0, @state, @Now, 0, @note)",
            new { id, provider, account, amount.Currency.Code, amount.Units, state = (long)state, ledger.Now, note = StoredText.Of(note, StoredText.MemoLength) });

    private static Row? Read(StoreSession session, string where, object parameters)
    {
        using DbDataReader reader = session.Read($"SELECT {Columns} FROM ledger_payments WHERE {where}", parameters);
        return reader.Read() ? Read(reader) : null;
    }

    private static Row Read(DbDataReader reader)
    {
        var currency = Currency.Parse(reader.GetString(3));
        long paid = reader.GetInt64(8);
        var payment = new Payment(
            reader.GetString(0), reader.GetString(1), reader.GetString(2), Money.FromUnits(reader.GetInt64(4), currency), Money.FromUnits(reader.GetInt64(5), currency),
            (PaymentState)reader.GetInt64(6), DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(7)), paid == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(paid), reader.GetString(9));
        return new Row(payment, reader.IsDBNull(10) ? null : reader.GetString(10), reader.GetInt64(11));
    }

    private sealed record Row(Payment Payment, string? Charge, long ToldRefunded);
}
