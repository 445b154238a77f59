using Glimmer.Cli.Configuring;

namespace Glimmer.Cli.Commands;

/// <summary>Writes or brings back the files of one tool: all of them, or none when one cannot be edited.</summary>
internal sealed class ToolEdit(ConfiguredTool tool, string home)
{
    private readonly (ToolFile File, Func<string, ToolSettings, string> Apply)[] _parts = [.. tool.FilesIn(home).Select(part => (new ToolFile(part.Path), part.Apply))];

    /// <summary>Shows what changes, asks, and does it.</summary>
    /// <returns>The exit code.</returns>
    public int Run(Func<ToolSettings> settings, bool restore, bool dry, bool yes)
    {
        if (restore && !_parts.Any(part => part.File.HasBackup))
            return ConfigureCommand.Fail($"there is nothing to restore: {_parts[0].File.Backup} is not there.", 66);
        List<(ToolFile File, string? Wanted)> changes = [];
        foreach ((ToolFile file, Func<string, ToolSettings, string> apply) in _parts)
        {
            try
            {
                // What is shown hides secrets, so lines that differ only there look alike: the files themselves are compared.
                string? wanted = restore ? file.ReadBackup() : apply(file.Text ?? "", settings());
                if (restore ? file.HasBackup : wanted != file.Text)
                    changes.Add((file, wanted));
            }
            catch (FormatException fault) when (!restore && file.Text is not null)
            {
                return ConfigureCommand.Fail($"{file.Path} cannot be edited: {fault.Message}. Nothing was written.", 65);
            }
        }

        if (changes.Count == 0)
        {
            Console.WriteLine($"{tool.Title} is already set: {string.Join(", ", _parts.Select(part => part.File.Path))}");
            TellNext(settings);
            return 0;
        }

        foreach ((ToolFile file, string? wanted) in changes)
            Console.Write(UnifiedDiff.Of(file.Path, file.Text ?? "", wanted ?? ""));
        if (dry)
            return 0;
        if (!yes && !Ask($"{(restore ? "Restore" : "Write")} {string.Join(" and ", changes.Select(change => change.File.Path))}?"))
            return ConfigureCommand.Fail("nothing was written. Say yes, or give --yes.", 1);
        foreach ((ToolFile file, string? wanted) in changes)
        {
            if (restore)
                file.Restore();
            else
                file.Write(wanted!);
        }

        string files = _parts.Length == 1 ? "the old file" : "the old files";
        Console.WriteLine(restore ? $"{tool.Title} is as it was." : $"{tool.Title} uses Glimmer. glimmer configure {tool.Name} --restore brings {files} back.");
        if (!restore)
            TellNext(settings);
        return 0;
    }

    private void TellNext(Func<ToolSettings> settings)
    {
        if (tool.Next is { } next)
            Console.WriteLine(next(_parts[0].File.Path, settings()));
    }

    private static bool Ask(string question)
    {
        Console.Write($"{question} [y/N] ");
        return Console.ReadLine()?.Trim() is "y" or "Y" or "yes";
    }
}
