using System.Collections.Concurrent;
using System.Diagnostics;

namespace Glimmer.Kernels;

/// <summary>Where the time of forward passes goes: how long the operations of all <see cref="ThreadTeam"/>s take, by the code that runs in them.</summary>
/// <remarks>Off until <see cref="Start"/>; then each operation costs two readings of the clock. Work that no team runs is not seen.</remarks>
public static class OperatorClock
{
    private static readonly ConcurrentDictionary<string, (long Ticks, long Calls)> _times = new(StringComparer.Ordinal);
    private static volatile bool _running;

    /// <summary>Whether operations are timed.</summary>
    public static bool IsRunning => _running;

    /// <summary>Forgets what was timed, and times from now on.</summary>
    public static void Start()
    {
        _times.Clear();
        _running = true;
    }

    /// <summary>Ends timing and returns each operation's time and number of calls, the longest first.</summary>
    public static IReadOnlyList<(string Name, TimeSpan Time, long Calls)> Stop()
    {
        _running = false;
        return [.. _times.Select(pair => (pair.Key, Stopwatch.GetElapsedTime(0, pair.Value.Ticks), pair.Value.Calls)).OrderByDescending(entry => entry.Item2)];
    }

    /// <summary>Adds one operation that began at <paramref name="start"/>.</summary>
    internal static void Add(Type body, Type? declaring, long start)
    {
        long ticks = Stopwatch.GetTimestamp() - start;
        string name = declaring is not null ? Readable(declaring) : Readable(body);
        _times.AddOrUpdate(name, _ => (ticks, 1), (_, old) => (old.Ticks + ticks, old.Calls + 1));
    }

    // A lambda's class is nested in the type that wrote it; a body's type in the operation it belongs to.
    private static string Readable(Type type) =>
        type.Name.Contains('<', StringComparison.Ordinal) && type.DeclaringType is { } outer ? outer.Name
        : type.DeclaringType is { } owner ? $"{owner.Name}.{type.Name}" : type.Name;
}
