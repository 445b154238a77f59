using System.CommandLine;
using System.Globalization;
using Glimmer.Cli.Hosting;
using Glimmer.Platform.Catalog;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer catalogue</c>: versions of models, prices and plans. A running server follows within a second.</summary>
internal static class CatalogueCommand
{
    private const string Name = "catalogue";

    public static Command Create()
    {
        Option<string> data = DataOption.Create();
        data.Recursive = true;
        Option<bool> plans = new("--plans") { Description = "The plans instead of models and prices.", Recursive = true };

        Command list = new("list", "List the versions; the one in force is marked.");
        list.SetAction(result => PlatformSession.RunAsync(Name, result.GetValue(data)!, session => Task.FromResult(List(session, Kind(result.GetValue(plans))))));

        Argument<long> id = new("ID") { Description = "Number of the version; 0 is what the program and the data folder bring." };
        Command show = new("show", "Print the text of a version.") { id };
        show.SetAction(result => PlatformSession.RunAsync(Name, result.GetValue(data)!, session =>
        {
            Console.Write(session.Versions.TextOf(Kind(result.GetValue(plans)), result.GetValue(id)));
            return Task.FromResult(0);
        }));

        Argument<FileInfo> file = new("FILE") { Description = "Changes in the form of catalog.yaml, or with --plans all plans in the form of plans.yaml." };
        Option<string> note = new("--note") { Description = "Why, for the list.", DefaultValueFactory = _ => "" };
        Option<bool> activate = new("--activate") { Description = "Put it in force at once." };
        Command add = new("add", "Check a file and store it as a version.") { file, note, activate };
        add.SetAction(result => PlatformSession.RunAsync(
            Name, result.GetValue(data)!, session => AddAsync(session, Kind(result.GetValue(plans)), result.GetValue(file)!, result.GetValue(note)!, result.GetValue(activate))));

        Command force = new("activate", "Put a version in force: a new one, or an earlier one to go back.") { id };
        force.SetAction(result => PlatformSession.RunAsync(Name, result.GetValue(data)!, async session =>
        {
            await session.Versions.ActivateAsync(Kind(result.GetValue(plans)), result.GetValue(id), "command line");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Version {result.GetValue(id)} is in force."));
            return 0;
        }));

        return new Command(Name, "Change models, prices and plans in versions.") { data, plans, list, show, add, force };
    }

    private static VersionKind Kind(bool plans) => plans ? VersionKind.Plans : VersionKind.Catalogue;

    private static int List(PlatformSession session, VersionKind kind)
    {
        foreach (CatalogueVersion version in session.Versions.List().Where(version => version.Kind == kind))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(version.Active ? '*' : ' ')} {version.Id,4}  {version.Created:yyyy-MM-dd HH:mm}  {version.Author}  {version.Note}"));
        return 0;
    }

    private static async Task<int> AddAsync(PlatformSession session, VersionKind kind, FileInfo file, string note, bool activate)
    {
        string text;
        try
        {
            text = await File.ReadAllTextAsync(file.FullName);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"{Name}: {fault.Message}");
            return 66;
        }

        long id = await session.Versions.AddAsync(kind, text, "command line", note);
        if (activate)
            await session.Versions.ActivateAsync(kind, id, "command line");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Version {id} {(activate ? "is in force." : $"is stored; `glimmer catalogue activate {id}` puts it in force.")}"));
        return 0;
    }
}
