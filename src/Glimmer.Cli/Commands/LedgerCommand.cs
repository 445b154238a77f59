using System.CommandLine;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer ledger</c>: money of accounts, and whether the books hold. A running server follows within a second.</summary>
internal static class LedgerCommand
{
    public static Command Create()
    {
        AdminField amount = AdminField.Argument("amount", "AMOUNT", "A decimal number.");
        AdminField currency = AdminField.Text("--currency", "currency", "USD, CNY …; the platform's when not given.");
        AdminField reference = AdminField.Text("--reference", "reference", "Makes it happen once: a second one of it is refused.");
        AdminField memo = AdminField.Text("--memo", "memo", "Shown in the history.");
        return new AdminFamily("ledger", "Grant credits and packs, record and pay back money, and check the books.", ofAccount: true)
            .Leaf("balance", "Show an account's funds by currency.", "GET /accounts/{account}/balance", [])
            .Leaf("grant", "Grant credits.", "POST /accounts/{account}/credits", [amount, currency, AdminField.Instant("--expires", "expires", "When what is left of them expires."), reference, memo])
            .Leaf("pack", "Sell a pack, or give one without a price.", "POST /accounts/{account}/packs",
            [
                AdminField.Argument("quantity", "QUANTITY", "Units of use that it holds."),
                AdminField.Texts("--units", "units", "Units that it counts, such as input_tokens,output_tokens.", required: true),
                AdminField.Whole("--days", "days", "Days that it can be used, 1 to 3650.", required: true, least: 1, most: 3650),
                AdminField.Texts("--models", "models", "Codes or families that it pays for; all when not given."),
                AdminField.Text("--price", "price", "What it costs; nothing when not given."),
                currency,
                reference,
                memo,
            ])
            .Leaf("pay", "Record money that came in by other ways, such as a transfer.", "POST /accounts/{account}/payments",
                [amount, currency, AdminField.Text("--reference", "reference", "The transfer's own reference.", required: true), AdminField.Text("--note", "note", "Why.")])
            .Leaf("payments", "List an account's payments.", "GET /accounts/{account}/payments", [])
            .Leaf("refund", "Pay a payment back, or a part of it.", "POST /accounts/{account}/payments/{payment}/refund",
                [AdminField.Route("payment", "PAYMENT", "Id of the payment."), AdminField.Text("--amount", "amount", "How much; all that is left when not given."), AdminField.Text("--note", "note", "Why.")])
            .Leaf("give-back", "Give a charge back to the cash.", "POST /accounts/{account}/refunds", [amount, currency, reference, memo])
            .Leaf("adjust", "Correct the cash either way.", "POST /accounts/{account}/adjustments",
                [AdminField.Text("--amount", "amount", "A decimal number; below 0 takes.", required: true), currency, reference, AdminField.Text("--memo", "memo", "Why.", required: true)])
            .Leaf("check", "Check all books against each other.", "GET /ledger/check", [], answer =>
            {
                if (AdminPrinter.Holds(answer.Json))
                    Console.WriteLine("The books hold.");
                else
                    AdminPrinter.Print(Console.Out, answer.Json);
                return AdminPrinter.Holds(answer.Json) ? 0 : 1;
            })
            .Command;
    }
}
