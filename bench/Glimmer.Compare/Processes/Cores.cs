using System.Diagnostics;
using Glimmer.Compare.Contenders;

namespace Glimmer.Compare.Processes;

/// <summary>Which processor cores the contenders may use: all of them the same ones.</summary>
/// <param name="All">Core numbers; empty leaves the choice to the system.</param>
/// <param name="Launcher">A program that starts the contenders and chooses their cores itself; null for none.</param>
internal sealed record Cores(IReadOnlyList<int> All, string? Launcher = null)
{
    /// <summary>How a call is started with <paramref name="threads"/> threads on as many cores.</summary>
    public ProcessStartInfo Start(ProgramCall call, int threads)
    {
        string[] before = Launcher is not null ? [Launcher] : All.Count > 0 && OperatingSystem.IsLinux() ? ["taskset", "-c", string.Join(',', All.Take(threads))] : [];
        string[] words = [.. before, call.Program, .. call.Arguments];
        ProcessStartInfo info = new(words[0], words[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach ((string key, string value) in call.Environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
            info.Environment[key] = value;
        return info;
    }
}
