namespace Glimmer.Engine;

/// <summary>How many physical cores this process may use.</summary>
internal static class PhysicalCores
{
    /// <summary>At least 1, at most the logical processors the process is allowed.</summary>
    public static int Count { get; } = Math.Clamp(Detect("/sys/devices/system/cpu"), 1, Environment.ProcessorCount);

    /// <summary>Counts distinct sets of hardware threads that share a core; all logical processors where the system doesn't say.</summary>
    internal static int Detect(string folder)
    {
        HashSet<string> cores = new(StringComparer.Ordinal);
        try
        {
            foreach (string cpu in Directory.Exists(folder) ? Directory.EnumerateDirectories(folder, "cpu*") : [])
            {
                string siblings = Path.Combine(cpu, "topology", "thread_siblings_list");
                if (File.Exists(siblings))
                    cores.Add(File.ReadAllText(siblings).Trim());
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Environment.ProcessorCount;
        }

        return cores.Count > 0 ? cores.Count : Environment.ProcessorCount;
    }
}
