using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Glimmer.Cli.Golden;
using Glimmer.Kernels;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer golden DIR…</c>: runs folders of golden data and says how far this build is from the reference.</summary>
internal static class GoldenCommand
{
    public static Command Create()
    {
        Argument<string[]> folders = new("DIR") { Description = "Folders of golden data, searched recursively.", Arity = ArgumentArity.OneOrMore };
        Option<bool> quiet = new("--quiet", "-q") { Description = "Print only what fails and the summary." };
        Option<bool> json = new("--json") { Description = "Print one JSON object per check instead of a table." };
        Option<string[]> only = new("--area") { Description = "Run only these areas.", AllowMultipleArgumentsPerToken = true };
        Option<ActivationMode> activations = new("--activations") { Description = "How activations meet quantised weights in GGUF models: exact, int8 or auto. Rounded ones are allowed what rounding costs, and greedy tokens are not compared.", DefaultValueFactory = _ => ActivationMode.Exact };
        Command command = new("golden", "Compare this build with golden data of the reference implementations.") { folders, quiet, json, only, activations };
        command.SetAction((result, cancel) => Task.FromResult(Run(
            result.GetValue(folders)!, result.GetValue(only) ?? [], result.GetValue(quiet), result.GetValue(json), result.GetValue(activations), cancel)));
        return command;
    }

    private static int Run(string[] folders, string[] only, bool quiet, bool json, ActivationMode activations, CancellationToken cancel)
    {
        if (folders.FirstOrDefault(folder => !Directory.Exists(folder)) is { } missing)
        {
            Console.Error.WriteLine($"golden: {missing}: no such folder.");
            return 2;
        }

        if (only.FirstOrDefault(name => GoldenAreas.All.All(area => area.Name != name)) is { } unknown)
        {
            Console.Error.WriteLine($"golden: --area {unknown}: unknown; the areas are {string.Join(", ", GoldenAreas.All.Select(area => area.Name))}.");
            return 2;
        }

        IReadOnlyList<IGoldenArea> areas = only.Length == 0 ? GoldenAreas.All : [.. GoldenAreas.All.Where(area => only.Contains(area.Name))];
        areas = [.. areas.Select(area => area is GgufModelsArea ? new GgufModelsArea(activations) : area)];
        int passed = 0, failed = 0, found = 0;
        foreach (GoldenFolder folder in new GoldenRun(areas).Run(folders, cancel))
        {
            found++;
            int bad = folder.Checks.Count(check => !check.Passed);
            failed += bad;
            passed += folder.Checks.Count - bad;
            if (json)
                PrintJson(folder);
            else
                PrintTable(folder, quiet);
        }

        if (found == 0)
        {
            Console.Error.WriteLine($"golden: nothing to run: no folder below {string.Join(", ", folders)} has the form of golden data ({string.Join(", ", areas.Select(area => area.Name))}).");
            return 2;
        }

        if (!json)
            Console.WriteLine($"{found} folders, {passed} checks passed, {failed} failed");
        return failed == 0 ? 0 : 1;
    }

    private static void PrintTable(GoldenFolder folder, bool quiet)
    {
        int bad = folder.Checks.Count(check => !check.Passed);
        if (quiet && bad == 0)
            return;
        Console.WriteLine($"{folder.Area} {folder.Folder}: {folder.Checks.Count - bad} passed, {bad} failed in {folder.Elapsed.TotalSeconds:0.0} s");
        foreach (GoldenCheck check in folder.Checks.Where(check => !quiet || !check.Passed))
        {
            Console.WriteLine($"  {(check.Passed ? "ok  " : "FAIL")} {check.Name,-44} {Number(check.Difference),10} allowed {Number(check.Allowed)}");
            if (check.Detail is { Length: > 0 })
                Console.WriteLine($"       {check.Detail}");
        }
    }

    private static void PrintJson(GoldenFolder folder)
    {
        foreach (GoldenCheck check in folder.Checks)
        {
            using MemoryStream buffer = new();
            using (Utf8JsonWriter writer = new(buffer))
            {
                writer.WriteStartObject();
                writer.WriteString("area", folder.Area);
                writer.WriteString("folder", folder.Folder);
                writer.WriteString("check", check.Name);
                if (double.IsFinite(check.Difference))
                    writer.WriteNumber("difference", check.Difference);
                else
                    writer.WriteString("difference", check.Difference.ToString(CultureInfo.InvariantCulture));
                writer.WriteNumber("allowed", check.Allowed);
                writer.WriteBoolean("passed", check.Passed);
                if (check.Detail is not null)
                    writer.WriteString("detail", check.Detail);
                writer.WriteEndObject();
            }

            Console.WriteLine(System.Text.Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
        }
    }

    private static string Number(double value) => value == 0 ? "0" : value.ToString("0.0e+0", CultureInfo.InvariantCulture);
}
