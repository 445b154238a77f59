using System.CommandLine;
using System.Globalization;
using Glimmer.Cli.Hosting;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer keys</c>: makes, lists, switches off and deletes API keys. A running server follows within a second.</summary>
internal static class KeysCommand
{
    public static Command Create()
    {
        Option<string> data = DataOption.Create();
        data.Recursive = true;

        Option<string> name = new("--name") { Description = "What you call the key.", DefaultValueFactory = _ => "key" };
        Option<int?> days = new("--expires-days") { Description = "Days until it stops to work, 1 to 3650; never when not given." };
        days.Validators.Add(result =>
        {
            if (result.Checked<int?>() is < 1 or > 3650)
                result.AddError("--expires-days must be 1 to 3650.");
        });
        Command create = new("create", "Make a key and print it. It cannot be shown again.") { name, days };
        create.SetAction(result => WithAsync(result.GetValue(data)!, keys =>
        {
            DateTimeOffset? expires = result.GetValue(days) is { } count ? DateTimeOffset.UtcNow.AddDays(count) : null;
            Console.WriteLine(keys.Create(result.GetValue(name)!, expires).Credential);
            return 0;
        }));

        Command list = new("list", "List the keys; secrets are not kept in a form that could be shown.");
        list.SetAction(result => WithAsync(result.GetValue(data)!, List));

        Argument<string> id = new("ID") { Description = "The part of the key before the dot." };
        Command disable = new("disable", "Switch a key off.") { id };
        disable.SetAction(result => WithAsync(result.GetValue(data)!, keys => Report(keys.SetDisabled(result.GetValue(id)!, disabled: true), result.GetValue(id)!, "is off")));
        Command enable = new("enable", "Switch a key on again.") { id };
        enable.SetAction(result => WithAsync(result.GetValue(data)!, keys => Report(keys.SetDisabled(result.GetValue(id)!, disabled: false), result.GetValue(id)!, "is on")));
        Command delete = new("delete", "Delete a key.") { id };
        delete.SetAction(result => WithAsync(result.GetValue(data)!, keys => Report(keys.Delete(result.GetValue(id)!), result.GetValue(id)!, "is gone")));

        return new Command("keys", "Make, list and switch off API keys.") { data, create, list, disable, enable, delete };
    }

    private static async Task<int> WithAsync(string folder, Func<OwnerKeys, int> action)
    {
        try
        {
            GlimmerOptions options = GlimmerSettings.Read(Settings.Read([("DataFolder", folder)]));
            await using OwnerKeys keys = OwnerKeys.Open(options.Store(TimeProvider.System), "--data");
            return action(keys);
        }
        catch (Exception fault) when (fault is KeyRingException or StoreException)
        {
            await Console.Error.WriteLineAsync($"keys: {fault.Message}");
            return 73;
        }
        catch (GlimmerStartupException fault)
        {
            await Console.Error.WriteLineAsync($"keys: {fault.Message}");
            return fault.ExitCode;
        }
    }

    private static int List(OwnerKeys keys)
    {
        foreach (AccessKey key in keys.Keys)
        {
            string state = key.Disabled ? "off" : key.Expires < DateTimeOffset.UtcNow ? "expired" : key.Expires is { } end ? "until " + Day(end) : "on";
            Console.WriteLine($"{key.Id}  {Day(key.Created)}  {state,-16}  {key.Name}");
        }

        return 0;
    }

    private static int Report(bool found, string id, string done)
    {
        if (found)
            Console.WriteLine($"{id} {done}.");
        else
            Console.Error.WriteLine($"keys: there is no key {id}; `glimmer keys list` shows them.");
        return found ? 0 : 1;
    }

    private static string Day(DateTimeOffset time) => time.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
