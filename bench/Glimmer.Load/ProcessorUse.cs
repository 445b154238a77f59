using System.Globalization;

namespace Glimmer.Load;

/// <summary>Processor time that processes have used so far, as the kernel counts it (in hundredths of a second).</summary>
internal static class ProcessorUse
{
    private const double TicksPerSecond = 100;

    /// <summary>Seconds of a process, all of its threads together.</summary>
    public static double Of(int process) => Read(process) is { } stat ? stat.Own / TicksPerSecond : 0;

    /// <summary>Seconds of all processes below this one that have a name, and of those of their children that have ended.</summary>
    public static double OfDescendants(string name)
    {
        Dictionary<int, Stat> all = [];
        foreach (string folder in Directory.GetDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int process) && Read(process) is { } stat)
                all[process] = stat;
        }

        return all.Values.Where(stat => stat.Name == name && IsBelow(stat)).Sum(stat => stat.Own + stat.Ended) / TicksPerSecond;

        bool IsBelow(Stat stat) => stat.Parent == Environment.ProcessId || (all.TryGetValue(stat.Parent, out Stat parent) && IsBelow(parent));
    }

    /// <summary>How often the threads of a process have waited, and so had to be woken.</summary>
    public static long Waits(int process)
    {
        const string Name = "voluntary_ctxt_switches:";
        long waits = 0;
        foreach (string thread in Directory.GetDirectories($"/proc/{process}/task"))
        {
            try
            {
                waits += long.Parse(File.ReadLines($"{thread}/status").First(line => line.StartsWith(Name, StringComparison.Ordinal)).AsSpan(Name.Length), CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                // A thread that has ended meanwhile.
            }
        }

        return waits;
    }

    private static Stat? Read(int process)
    {
        try
        {
            // proc(5): the name stands in brackets and may hold anything; after it the parent is the 2nd field, the times are the 12th to 15th.
            string text = File.ReadAllText($"/proc/{process}/stat");
            int open = text.IndexOf('('), close = text.LastIndexOf(')');
            string[] fields = text[(close + 2)..].Split(' ');
            long Field(int place) => long.Parse(fields[place - 1], CultureInfo.InvariantCulture);
            return new Stat(text[(open + 1)..close], (int)Field(2), Field(12) + Field(13), Field(14) + Field(15));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private readonly record struct Stat(string Name, int Parent, long Own, long Ended);
}
