using Glimmer.Inference.Script;

namespace Glimmer.Cli.Emulator;

/// <summary>Plays a scenario from its beginning again whenever one of its files has changed. Files are looked at, not listened to: mounted and networked folders tell nothing.</summary>
internal static class ScenarioWatch
{
    private static readonly TimeSpan Often = TimeSpan.FromMilliseconds(250);

    /// <summary>Watches until it is told to stop.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="known">What <see cref="Look"/> said of them before they were read: a change since then is one.</param>
    /// <param name="backend">Who plays them.</param>
    /// <param name="tell">Told of each change.</param>
    /// <param name="warn">Told when the files cannot be used; what was played goes on then.</param>
    /// <param name="stop">Ends it.</param>
    public static async Task RunAsync(IReadOnlyList<string> paths, (DateTime Written, long Length)[] known, ScriptChatBackend backend, Action<string> tell, Action<string> warn, CancellationToken stop)
    {
        (DateTime, long)[] seen = known;
        while (true)
        {
            await Task.Delay(Often, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stop.IsCancellationRequested)
                return;
            (DateTime, long)[] now = Look(paths);
            bool settled = now.SequenceEqual(seen);
            seen = now;

            // One that is written at this moment is whole at the next look.
            if (!settled || now.SequenceEqual(known))
                continue;
            known = now;
            try
            {
                backend.Load(ScenarioReader.ReadFiles(paths));
                tell($"The scenario has changed and is played from its beginning: {string.Join(", ", paths)}");
            }
            catch (ScenarioException fault)
            {
                warn($"{fault.Message} The former scenario is still played.");
            }
        }
    }

    /// <summary>What tells one state of the files from another.</summary>
    public static (DateTime Written, long Length)[] Look(IReadOnlyList<string> paths) =>
        [.. paths.Select(static path => new FileInfo(path) is { Exists: true } file ? (file.LastWriteTimeUtc, file.Length) : default)];
}
