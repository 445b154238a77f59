using System.CommandLine;
using Glimmer.Cli.Configuring;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer configure</c>: writes the configuration file of a coding tool, so that it uses this server.</summary>
internal static class ConfigureCommand
{
    private static string Names => string.Join(", ", ConfiguredTool.All.Select(known => known.Name).Concat(GuidedTool.All.Select(known => known.Name)));

    public static Command Create()
    {
        Argument<string?> tool = new("TOOL") { Description = $"Which tool: {Names}.", Arity = ArgumentArity.ZeroOrOne };
        Option<string> url = new("--url") { Description = "Address of the server.", DefaultValueFactory = _ => "http://127.0.0.1:8080" };
        Option<string?> key = new("--key") { Description = "API key. Better in the variable GLIMMER_API_KEY, which no list of processes shows." };
        Option<string> model = new("--model") { Description = "Model for the work.", DefaultValueFactory = _ => "glm-4.7" };
        Option<string> small = new("--small-model") { Description = "Model for small things, such as titles.", DefaultValueFactory = _ => "glm-4.5-air" };
        Option<string?> home = new("--home") { Description = "Home folder whose files are written. Default: yours." };
        Option<bool> yes = new("--yes", "-y") { Description = "Write without asking." };
        Option<bool> dry = new("--dry-run") { Description = "Only show what would change." };
        Option<bool> restore = new("--restore") { Description = "Bring back the file as it was before the first change." };
        Option<bool> list = new("--list") { Description = "List the tools and their files." };
        Command command = new("configure", "Point a coding tool at this server, in its own configuration file.") { tool, url, key, model, small, home, yes, dry, restore, list };
        command.SetAction(result =>
        {
            string folder = result.GetValue(home) ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            if (result.GetValue(list))
                return List(folder);
            try
            {
                return Run(
                    result.GetValue(tool),
                    folder,
                    () => new ToolSettings(Address(result.GetValue(url)!), Key(result.GetValue(key)), Code(result.GetValue(model)!), Code(result.GetValue(small)!)),
                    result.GetValue(restore),
                    result.GetValue(dry),
                    result.GetValue(yes));
            }
            catch (FormatException fault)
            {
                return Fail(fault.Message, 65);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                return Fail(fault.Message, 73);
            }
        });
        return command;
    }

    private static int List(string home)
    {
        foreach (ConfiguredTool known in ConfiguredTool.All)
            Console.WriteLine($"{known.Name,-12} {known.Title,-14} {known.Base,-15} {known.FileIn(home)}");
        foreach (GuidedTool known in GuidedTool.All)
            Console.WriteLine($"{known.Name,-12} {known.Title,-14} {"/v1",-15} by hand: the steps are told");
        return 0;
    }

    private static int Run(string? name, string home, Func<ToolSettings> settings, bool restore, bool dry, bool yes)
    {
        if (name is not null && GuidedTool.Find(name) is { } guided)
            return Guide(guided, settings, restore);
        if (name is null || ConfiguredTool.Find(name) is not { } tool)
            return Fail($"{(name is null ? "no tool was named" : $"the tool \"{name}\" is not known")}. Use one of {Names}.", 64);
        return new ToolEdit(tool, home).Run(settings, restore, dry, yes);
    }

    private static int Guide(GuidedTool tool, Func<ToolSettings> settings, bool restore)
    {
        Console.WriteLine($"{tool.Reason} Nothing {(restore ? "was ever written, so there is nothing to restore" : "was written")}.");
        if (restore)
            return 0;
        int step = 0;
        foreach (string line in tool.Steps(settings()))
            Console.WriteLine($"{++step}. {line}");
        return 0;
    }

    private static string Address(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https" && address.Query.Length == 0 && address.UserInfo.Length == 0
            ? url.TrimEnd('/')
            : throw new FormatException($"--url is \"{url}\". Use an address such as http://127.0.0.1:8080.");

    private static string Key(string? given)
    {
        string key = given ?? Environment.GetEnvironmentVariable("GLIMMER_API_KEY") ?? "";
        return key.Length is > 0 and <= 4096 && key.All(letter => letter is > ' ' and < '\u007F' and not ('"' or '\''))
            ? key
            : throw new FormatException("there is no key. Set GLIMMER_API_KEY or give --key; glimmer keys create makes one.");
    }

    private static string Code(string code) =>
        code.Length is > 0 and <= 128 && code.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' or '_' or ':' or '/')
            ? code
            : throw new FormatException($"\"{code}\" is no model code. Use one such as glm-4.7.");

    /// <summary>Says what went wrong.</summary>
    /// <returns>The exit code.</returns>
    internal static int Fail(string message, int code)
    {
        Console.Error.WriteLine($"configure: {message}");
        return code;
    }
}
