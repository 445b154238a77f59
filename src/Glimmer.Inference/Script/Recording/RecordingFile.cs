using System.Collections.Concurrent;
using System.Text;

namespace Glimmer.Inference.Script;

/// <summary>
/// A scenario file that recordings are added to. What it holds already stays as it is, rules and comments too. It is replaced in one step, in the background, whenever
/// something came; who disposes it waits for the last time.
/// </summary>
public sealed class RecordingFile : IAsyncDisposable
{
    /// <summary>Most recordings of a file.</summary>
    public const int MostRecordings = 10_000;

    private const int MostBytes = ScenarioReader.LargestFile;
    private const string Head = "recordings:\n";
    private readonly string _path;
    private readonly Action<string> _warn;
    private readonly ConcurrentDictionary<string, Recording> _known = new(StringComparer.Ordinal);
    private readonly StringBuilder _text;
    private readonly Lock _turn = new();
    private int _bytes;
    private bool _changed;
    private bool _full;
    private Task _writing = Task.CompletedTask;

    private RecordingFile(string path, string text, Scenario scenario, Action<string> warn)
    {
        _path = path;
        _warn = warn;
        _text = new StringBuilder(text);
        _bytes = Encoding.UTF8.GetByteCount(text);
        Scenario = scenario;
        foreach (Recording recording in scenario.Recordings)
            _known.TryAdd(recording.Fingerprint, recording);
    }

    /// <summary>What the file held when it was opened.</summary>
    public Scenario Scenario { get; }

    /// <summary>How many recordings there are.</summary>
    public int Count => _known.Count;

    /// <summary>Opens a file, which need not be there yet.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="start">The scenario's text when there is no file: what comes before its recordings.</param>
    /// <param name="warn">Told when something cannot be kept, as a sentence.</param>
    /// <exception cref="ScenarioException">It is no scenario, or nothing can be added to its end.</exception>
    public static RecordingFile Open(string path, string start, Action<string> warn)
    {
        bool exists = File.Exists(path);
        Scenario scenario = exists ? ScenarioReader.ReadFile(path) : ScenarioReader.Read(new StringReader(start + Head.TrimEnd() + " []\n"), path);
        string text;
        try
        {
            text = exists ? File.ReadAllText(path) : start;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ScenarioException($"{path} cannot be read: {fault.Message}", fault);
        }

        if (text.Length > 0 && text[^1] != '\n')
            text += '\n';
        if (scenario.Recordings.Count == 0)
            text = text.EndsWith("\nrecordings: []\n", StringComparison.Ordinal) ? text[..^"recordings: []\n".Length] + Head : text + Head;

        // Items are added as text, so that the rest of the file stays as its author wrote it: a trial says whether they would be read there.
        string trial = text + RecordingText.Write(new Recording { Fingerprint = new string('0', 64), Summary = "trial" });
        try
        {
            if (ScenarioReader.Read(new StringReader(trial), path).Recordings.Count == scenario.Recordings.Count + 1)
                return new RecordingFile(path, text, scenario, warn);
        }
        catch (ScenarioException)
        {
            // Told below.
        }

        throw new ScenarioException($"{path}: recordings cannot be added to its end. Make \"recordings:\" its last key, with items that are indented by two spaces, or record to another file.");
    }

    /// <summary>The recording of a question; null when there is none.</summary>
    public Recording? Find(string fingerprint) => _known.GetValueOrDefault(fingerprint);

    /// <summary>Keeps a recording, unless there is one of its question or the file is full.</summary>
    public void Add(Recording recording)
    {
        string item = RecordingText.Write(recording);
        int bytes = Encoding.UTF8.GetByteCount(item);
        lock (_turn)
        {
            if (_known.Count >= MostRecordings || _bytes + bytes > MostBytes)
            {
                if (!_full)
                    _warn($"{_path} is full ({_known.Count} recordings, {_bytes >> 10} KiB): further answers are not recorded. Record to another file.");
                _full = true;
                return;
            }

            if (!_known.TryAdd(recording.Fingerprint, recording))
                return;
            _text.Append(item);
            _bytes += bytes;
            _changed = true;
            if (_writing.IsCompleted)
                _writing = Task.Run(WriteAsync);
        }
    }

    /// <summary>Waits until everything is written.</summary>
    public async ValueTask DisposeAsync()
    {
        Task writing;
        do
        {
            lock (_turn)
                writing = _writing;
            await writing;
        }
        while (!ReferenceEquals(writing, _writing));
    }

    /// <summary>Writes until nothing is new.</summary>
    private async Task WriteAsync()
    {
        while (true)
        {
            string text;
            lock (_turn)
            {
                if (!_changed)
                {
                    // Under the lock, so that whoever adds from now on starts another writer.
                    _writing = Task.CompletedTask;
                    return;
                }

                _changed = false;
                text = _text.ToString();
            }

            string draft = _path + ".tmp";
            try
            {
                await File.WriteAllTextAsync(draft, text);
                File.Move(draft, _path, overwrite: true);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                _warn($"{_path} cannot be written: {fault.Message}");
            }
        }
    }
}
