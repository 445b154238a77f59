using System.Globalization;

namespace Glimmer.Engine.Placement;

/// <summary>A memory node: processors with memory of their own.</summary>
/// <param name="Id">Its number in the system.</param>
/// <param name="Cores">Physical cores, each by its hardware threads that this process may use, in ascending order.</param>
internal sealed record NumaNode(int Id, IReadOnlyList<IReadOnlyList<int>> Cores);

/// <summary>Which processors and memory nodes this process may use.</summary>
/// <param name="Nodes">The nodes that have processors, in ascending order; at least one.</param>
internal sealed record NumaTopology(IReadOnlyList<NumaNode> Nodes)
{
    private const int MostProcessors = 8192;

    /// <summary>Physical cores over all nodes.</summary>
    public int Cores => Nodes.Sum(node => node.Cores.Count);

    /// <summary>Reads what Linux tells; null where it tells nothing usable.</summary>
    /// <param name="root">The root of the file system, another one in tests.</param>
    public static NumaTopology? Read(string root = "/")
    {
        try
        {
            SortedSet<int>? allowed = Allowed(Path.Combine(root, "proc/self/status"));
            string folder = Path.Combine(root, "sys/devices/system/node");
            List<NumaNode> nodes = [];
            foreach (string node in Directory.Exists(folder) ? Directory.GetDirectories(folder, "node*") : [])
            {
                if (!int.TryParse(Path.GetFileName(node).AsSpan("node".Length), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                    || ParseList(File.ReadAllText(Path.Combine(node, "cpulist"))) is not { } processors)
                {
                    continue;
                }

                if (allowed is not null)
                    processors.IntersectWith(allowed);
                if (processors.Count > 0)
                    nodes.Add(new NumaNode(id, CoresOf(root, processors)));
            }

            nodes.Sort((a, b) => a.Id.CompareTo(b.Id));
            return nodes.Count > 0 ? new NumaTopology(nodes) : null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Reads a list such as <c>0-3,8,10-11</c>; null when it is none.</summary>
    internal static SortedSet<int>? ParseList(string text)
    {
        SortedSet<int> processors = [];
        foreach (string part in text.Trim().Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2
                || !int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
                || !int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int last)
                || first > last || last >= MostProcessors)
            {
                return null;
            }

            for (int processor = first; processor <= last; processor++)
                processors.Add(processor);
        }

        return processors;
    }

    private static SortedSet<int>? Allowed(string status)
    {
        const string Key = "Cpus_allowed_list:";
        if (!File.Exists(status))
            return null;
        string? line = File.ReadLines(status).FirstOrDefault(text => text.StartsWith(Key, StringComparison.Ordinal));
        return line is null ? null : ParseList(line[Key.Length..]);
    }

    private static List<IReadOnlyList<int>> CoresOf(string root, SortedSet<int> processors)
    {
        List<IReadOnlyList<int>> cores = [];
        HashSet<int> seen = [];
        foreach (int processor in processors)
        {
            if (seen.Contains(processor))
                continue;
            string siblings = Path.Combine(root, string.Create(CultureInfo.InvariantCulture, $"sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list"));
            SortedSet<int> core = File.Exists(siblings) && ParseList(File.ReadAllText(siblings)) is { } listed ? listed : [];
            core.Add(processor);
            core.IntersectWith(processors);
            core.ExceptWith(seen);
            seen.UnionWith(core);
            cores.Add([.. core]);
        }

        return cores;
    }
}
