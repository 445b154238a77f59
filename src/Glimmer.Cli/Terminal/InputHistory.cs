using System.Text;

namespace Glimmer.Cli.Terminal;

/// <summary>Lines typed before, oldest first, kept in a file when one is given. Line breaks inside an entry are escaped there.</summary>
internal sealed class InputHistory
{
    private const int MostEntries = 1000;
    private readonly List<string> _entries = [];
    private readonly string? _path;

    /// <param name="path">File to keep the entries in; null keeps them in memory only.</param>
    public InputHistory(string? path)
    {
        _path = path;
        if (path is not null && File.Exists(path))
            _entries.AddRange(File.ReadLines(path, Encoding.UTF8).TakeLast(MostEntries).Select(Unescape));
    }

    /// <summary>Entries, oldest first.</summary>
    public IReadOnlyList<string> Entries => _entries;

    /// <summary>Adds an entry, unless it is empty or repeats the last one.</summary>
    public void Add(string entry)
    {
        if (string.IsNullOrWhiteSpace(entry) || (_entries.Count > 0 && _entries[^1] == entry))
            return;
        _entries.Add(entry);
        if (_path is null)
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_path))!);
        if (_entries.Count <= MostEntries)
        {
            File.AppendAllText(_path, Escape(entry) + "\n", Encoding.UTF8);
            return;
        }

        _entries.RemoveRange(0, _entries.Count - MostEntries);
        File.WriteAllLines(_path, _entries.Select(Escape), Encoding.UTF8);
    }

    private static string Escape(string entry) => entry.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string Unescape(string line)
    {
        StringBuilder text = new(line.Length);
        for (int i = 0; i < line.Length; i++)
        {
            bool escape = line[i] == '\\' && i + 1 < line.Length;
            text.Append(escape ? line[++i] == 'n' ? '\n' : line[i] : line[i]);
        }

        return text.ToString();
    }
}
