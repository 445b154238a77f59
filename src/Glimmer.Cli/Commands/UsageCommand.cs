using System.CommandLine;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer usage</c>: what an account used and was billed.</summary>
internal static class UsageCommand
{
    public static Command Create()
    {
        AdminField from = AdminField.Query("--from", "from", "First day, such as 2027-03-01.");
        AdminField to = AdminField.Query("--to", "to", "Last day.");
        AdminField limit = AdminField.Query("--limit", "limit", "Lines of a page, 1 to 500.");
        AdminField next = AdminField.Query("--next", "next", "What the page before says as next.");
        return new AdminFamily("usage", "Show what an account used and was billed.", ofAccount: true)
            .Leaf("show", "Report usage from the roll-ups.", "GET /accounts/{account}/usage",
            [
                AdminField.Query("--span", "span", "Steps: hour, day, month or total."),
                AdminField.Query("--split", "split", "Any of model, key, project, mode, with commas between."),
                from,
                to,
                AdminField.Query("--key", "key", "Only this key."),
                AdminField.Query("--project", "project", "Only this project."),
                AdminField.Query("--model", "model", "Only this model."),
            ])
            .Leaf("bills", "List the bills of closed days or months.", "GET /accounts/{account}/bills", [AdminField.Query("--span", "span", "day or month."), from, to])
            .Leaf("requests", "List single requests, the newest first.", "GET /accounts/{account}/requests", [from, to, limit, next])
            .Leaf("transactions", "List recharges, purchases, credits and refunds, the newest first.", "GET /accounts/{account}/transactions", [limit, next])
            .Command;
    }
}
