using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer catalogue</c>: versions of models, prices and plans. A running server follows within a second.</summary>
internal static class CatalogueCommand
{
    /// <summary>What a wrong text exits with, as a wrong setting does.</summary>
    private const int Wrong = 78;

    public static Command Create()
    {
        Option<bool> plans = new("--plans") { Description = "The plans instead of models and prices.", Recursive = true };
        AdminField id = AdminField.Route("id", "ID", "Number of the version; 0 is what the program and the data folder bring.");
        AdminField file = AdminField.FileText("text", "FILE", "Changes in the form of catalog.yaml, or with --plans all plans in the form of plans.yaml.");
        AdminFamily family = new AdminFamily("catalogue", "Change models, prices and plans in versions.", ofAccount: false, refused: Wrong)
            .Leaf("list", "List the versions; the one in force is marked.", On("GET", ""), [], List)
            .Leaf("show", "Print the text of a version.", On("GET", "/versions/{id}"), [id], answer =>
            {
                Console.Write(answer.Json["text"]!.GetValue<string>());
                return 0;
            })
            .Leaf("check", "Check a file and store nothing.", On("POST", "/validate"), [file], _ => Say("It is right."))
            .Leaf("add", "Check a file and store it as a version.", On("POST", "/versions"),
                [file, AdminField.Text("--note", "note", "Why, for the list."), AdminField.Flag("--activate", "activate", "Put it in force at once.")], Added)
            .Leaf("activate", "Put a version in force: a new one, or an earlier one to go back.", On("POST", "/versions/{id}/activate"), [id], Activated)
            .Leaf("rollback", "Put the version in force that was before.", On("POST", "/rollback"), [], Activated)
            .Leaf("models", "List the models in force and their limits by tier.", "GET /catalogue/models", [])
            .Leaf("prices", "List the prices in force.", "GET /catalogue/prices", [AdminField.Query("--currency", "currency", "USD, CNY …"), AdminField.Query("--model", "model", "Only this model.")]);
        family.Command.Add(plans);
        return family.Command;

        Func<ParseResult, string> On(string method, string path) => result => $"{method} {(result.GetValue(plans) ? "/plan-rules" : "/catalogue")}{path}";
    }

    private static int List(AdminAnswer answer)
    {
        foreach (JsonNode? version in answer.Json["data"]!.AsArray())
        {
            DateTimeOffset created = DateTimeOffset.FromUnixTimeMilliseconds(version!["created"]!.GetValue<long>());
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{(version["active"]!.GetValue<bool>() ? '*' : ' ')} {version["id"]!.GetValue<long>(),4}  {created:yyyy-MM-dd HH:mm}  {version["author"]}  {version["note"]}"));
        }

        return 0;
    }

    private static int Added(AdminAnswer answer)
    {
        JsonNode id = answer.Json["id"]!;
        return Say($"Version {id} {(answer.Json["active"]!.GetValue<bool>() ? "is in force." : $"is stored; `glimmer catalogue activate {id}` puts it in force.")}");
    }

    private static int Activated(AdminAnswer answer) => Say($"Version {answer.Json["id"]} is in force.");

    private static int Say(string text)
    {
        Console.WriteLine(text);
        return 0;
    }
}
