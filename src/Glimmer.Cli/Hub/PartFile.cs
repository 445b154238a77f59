using System.Globalization;
using System.Text;

namespace Glimmer.Cli.Hub;

/// <summary>
/// A file on its way: its bytes in <c>NAME.part</c>, and in <c>NAME.part.log</c> how far each segment has come, so that
/// a later run goes on where this one stopped.
/// </summary>
internal sealed class PartFile : IDisposable
{
    /// <summary>Bytes per segment: what one connection fetches in one request.</summary>
    public const long SegmentBytes = 64L << 20;

    private readonly string _target;
    private readonly string _identity;
    private readonly FileStream _data;
    private readonly long[] _done;
    private readonly Lock _gate = new();

    private PartFile(string target, HubFile file, FileStream data)
    {
        _target = target;
        _identity = $"{file.Size} {file.Checksum}";
        _data = data;
        File = file;
        _done = new long[Math.Max(1, (int)((file.Size + SegmentBytes - 1) / SegmentBytes))];
    }

    /// <summary>What is being fetched.</summary>
    public HubFile File { get; }

    /// <summary>Segments of the file.</summary>
    public int Segments => _done.Length;

    /// <summary>Bytes that are already here.</summary>
    public long BytesDone => _done.Sum();

    private string LogPath => _target + ".part.log";

    /// <summary>Opens or begins the part file of <paramref name="target"/>; a log of another version of the file is ignored.</summary>
    public static PartFile Open(string target, HubFile file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        PartFile part = new(target, file, OpenAlone(target + ".part"));
        FileStream data = part._data;
        part.ReadLog();
        if (data.Length != file.Size)
            data.SetLength(file.Size);
        return part;
    }

    /// <summary>The rest of a segment: first byte still wanted and the last one; null when it is complete.</summary>
    public (long From, long To)? Missing(int segment)
    {
        long start = segment * SegmentBytes, end = Math.Min(start + SegmentBytes, File.Size);
        long from = start + Interlocked.Read(ref _done[segment]);
        return from < end ? (from, end - 1) : null;
    }

    /// <summary>Stores bytes that follow what the segment already has.</summary>
    public async Task AppendAsync(int segment, ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        await RandomAccess.WriteAsync(_data.SafeFileHandle, bytes, segment * SegmentBytes + Interlocked.Read(ref _done[segment]), cancel);
        Interlocked.Add(ref _done[segment], bytes.Length);
    }

    /// <summary>Forgets everything: the content turned out to be wrong.</summary>
    public void Restart()
    {
        Array.Clear(_done);
        SaveLog();
    }

    /// <summary>Writes down how far the segments have come. The data reaches the disk first.</summary>
    public void SaveLog()
    {
        lock (_gate)
        {
            RandomAccess.FlushToDisk(_data.SafeFileHandle);
            System.IO.File.WriteAllText(LogPath, _identity + "\n" + string.Join(' ', _done), Encoding.ASCII);
        }
    }

    /// <summary>Null when the bytes are what the hub vouches for, else what differs.</summary>
    public Task<string?> FaultAsync(CancellationToken cancel) => FileChecksum.FaultAsync(_data, File, null, cancel);

    /// <summary>Gives the file its name.</summary>
    public void Complete()
    {
        RandomAccess.FlushToDisk(_data.SafeFileHandle);
        _data.Dispose();
        System.IO.File.Move(_target + ".part", _target, overwrite: true);
        System.IO.File.Delete(LogPath);
    }

    /// <inheritdoc/>
    public void Dispose() => _data.Dispose();

    private static FileStream OpenAlone(string path)
    {
        try
        {
            return new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                BufferSize = 0,
                Options = FileOptions.Asynchronous,
            });
        }
        catch (IOException busy) when (System.IO.File.Exists(path))
        {
            throw new HubException($"{path} is in use: is another pull of this model running?", busy);
        }
    }

    private void ReadLog()
    {
        if (!System.IO.File.Exists(LogPath))
            return;
        string[] lines = System.IO.File.ReadAllLines(LogPath);
        if (lines.Length != 2 || lines[0] != _identity)
            return;
        string[] counts = lines[1].Split(' ');
        if (counts.Length != _done.Length)
            return;
        for (int i = 0; i < counts.Length; i++)
        {
            long limit = Math.Min(SegmentBytes, File.Size - i * SegmentBytes);
            _done[i] = long.TryParse(counts[i], NumberStyles.None, CultureInfo.InvariantCulture, out long done) && done <= limit ? done : 0;
        }

        // Bytes beyond what the data file holds were never written.
        for (int i = 0; i < _done.Length; i++)
            _done[i] = Math.Clamp(_data.Length - i * SegmentBytes, 0, _done[i]);
    }
}
