using System.CommandLine;
using System.Text.Json.Nodes;
using Glimmer.Cli.Hosting;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Store;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer store</c>: the database, its backups, its schema.</summary>
internal static class StoreCommand
{
    private const string Name = "store";

    public static Command Create()
    {
        AdminFamily family = new AdminFamily(Name, "Back up, restore, upgrade and check the store.", ofAccount: false)
            .Leaf("show", "Show which database it is and its schema.", "GET /store", [])
            .Leaf("check", "Have the database check itself, and check the books.", "GET /store/check", [], answer =>
            {
                if (AdminPrinter.Holds(answer.Json))
                    Console.WriteLine("The store is whole and the books hold.");
                else
                    AdminPrinter.Print(Console.Out, answer.Json);
                return AdminPrinter.Holds(answer.Json) ? 0 : 1;
            });

        Argument<FileInfo> file = new("FILE") { Description = "The backup; must not exist." };
        Option<bool> portable = new("--portable") { Description = "A form that either database restores; PostgreSQL always makes it." };
        Command backup = new("backup", "Copy the store to a file, also while a server runs.") { file, portable };
        backup.SetAction(result => family.WithSessionAsync(result, async session =>
        {
            FileInfo target = result.GetValue(file)!;
            session.Store.Backup(target.FullName, result.GetValue(portable));
            target.Refresh();
            await session.Accounts.Audit.RecordAsync(Actor.Cli, null, "store.backup", target.Name, null, new JsonObject { ["bytes"] = target.Length });
            Console.WriteLine($"{target.FullName} holds the store; keep {Glimmer.Platform.Keys.KeyRing.ProtectionFileName} of the data folder apart from it, its secrets are sealed with that.");
            return 0;
        }));

        Argument<FileInfo> source = new("FILE") { Description = "A backup of either form." };
        Command restore = new("restore", "Make the store from a backup; there must be none yet.") { source };
        restore.SetAction(result =>
        {
            (string data, string? store) = family.Place(result);
            return PlatformSession.WithOptionsAsync(Name, data, store, options =>
            {
                PlatformStore.Restore(options.Store(TimeProvider.System), result.GetValue(source)!.FullName);
                Console.WriteLine("The store is restored.");
                return Task.FromResult(0);
            });
        });

        Command migrate = new("migrate", "Bring the schema up to date, as the start of a server does.");
        migrate.SetAction(result =>
        {
            (string data, string? connection) = family.Place(result);
            return PlatformSession.WithOptionsAsync(Name, data, connection, async options =>
            {
                await using PlatformStore store = PlatformStore.Open(options.Store(TimeProvider.System));
                foreach (string step in store.Upgrades)
                    Console.WriteLine($"{step} applied.");
                Console.WriteLine($"{store.Description} is up to date ({store.Steps()[^1]}).");
                return 0;
            });
        });

        Command command = family.Command;
        command.Add(backup);
        command.Add(restore);
        command.Add(migrate);
        return command;
    }
}
