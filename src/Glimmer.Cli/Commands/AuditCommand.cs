using System.CommandLine;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer audit</c>: who changed what.</summary>
internal static class AuditCommand
{
    public static Command Create() => new AdminFamily("audit", "Show who changed what, before and after.", ofAccount: false)
        .Leaf("list", "List changes, the newest first.", "GET /audit",
        [
            AdminField.Query("--account", "account", "Only those of this account."),
            AdminField.Query("--actor", "actor", "Only those by this user, key:ID, cli or system."),
            AdminField.Query("--action", "action", "Only those whose action begins so, such as key."),
            AdminField.Query("--subject", "subject", "Only those to this id."),
            AdminField.Query("--before", "before", "Only those with a smaller number."),
            AdminField.Query("--limit", "limit", "Most lines, 1 to 1000."),
        ])
        .Command;
}
