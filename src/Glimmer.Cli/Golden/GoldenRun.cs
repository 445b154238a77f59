using System.Diagnostics;

namespace Glimmer.Cli.Golden;

/// <summary>One folder run by one area.</summary>
/// <param name="Area">The area's name.</param>
/// <param name="Folder">The folder.</param>
/// <param name="Checks">Its checks, in order.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record GoldenFolder(string Area, string Folder, IReadOnlyList<GoldenCheck> Checks, TimeSpan Elapsed);

/// <summary>Finds golden folders below given ones and runs them.</summary>
/// <param name="areas">The forms of data to look for.</param>
public sealed class GoldenRun(IReadOnlyList<IGoldenArea> areas)
{
    // Deep enough for any layout of fixtures, shallow enough for a link that leads back up.
    private const int DeepestFolder = 12;

    /// <summary>Runs every folder found, in name order, and yields each as it is done.</summary>
    public IEnumerable<GoldenFolder> Run(IEnumerable<string> roots, CancellationToken cancel) =>
        roots.SelectMany(root => Walk(Path.GetFullPath(root), 0, cancel));

    private IEnumerable<GoldenFolder> Walk(string folder, int depth, CancellationToken cancel)
    {
        bool recognised = false;
        foreach (IGoldenArea area in areas)
        {
            cancel.ThrowIfCancellationRequested();
            if (!area.Recognises(folder))
                continue;
            recognised |= !area.HoldsOtherCases;
            yield return RunOne(area, folder, cancel);
        }

        if (recognised && depth > 0 || depth >= DeepestFolder)
            yield break;
        foreach (string child in Directory.GetDirectories(folder).Order(StringComparer.Ordinal))
        {
            foreach (GoldenFolder found in Walk(child, depth + 1, cancel))
                yield return found;
        }
    }

    private static GoldenFolder RunOne(IGoldenArea area, string folder, CancellationToken cancel)
    {
        long start = Stopwatch.GetTimestamp();
        List<GoldenCheck> checks = [];
        try
        {
            checks.AddRange(area.Run(folder, cancel));
            if (checks.Count == 0)
                checks.Add(new GoldenCheck("checks", double.NaN, 0, "the folder was recognised but held nothing to compare"));
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            checks.Add(new GoldenCheck("run", double.NaN, 0, $"{failure.GetType().Name}: {failure.Message}"));
        }

        return new GoldenFolder(area.Name, folder, checks, Stopwatch.GetElapsedTime(start));
    }
}
