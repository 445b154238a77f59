using System.CommandLine;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer projects</c>: the projects that keys belong to.</summary>
internal static class ProjectsCommand
{
    public static Command Create()
    {
        AdminField project = AdminField.Route("project", "PROJECT", "Public id of the project.");
        AdminField name = AdminField.Argument("name", "NAME", "What it is called.");
        return new AdminFamily("projects", "Make, rename and delete projects of an account.", ofAccount: true)
            .Leaf("list", "List the projects of an account.", "GET /accounts/{account}/projects", [])
            .Leaf("create", "Make a project and print its id.", "POST /accounts/{account}/projects", [name], answer =>
            {
                Console.WriteLine(answer.Json["id"]!.GetValue<string>());
                return 0;
            })
            .Leaf("rename", "Rename a project.", "PUT /accounts/{account}/projects/{project}", [project, name])
            .Leaf("delete", "Delete a project and its keys.", "DELETE /accounts/{account}/projects/{project}", [project], _ =>
            {
                Console.WriteLine("The project and its keys are gone.");
                return 0;
            })
            .Command;
    }
}
