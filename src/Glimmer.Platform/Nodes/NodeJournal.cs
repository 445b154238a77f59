using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Nodes;

/// <summary>
/// An append-only file of this run of the process in the data folder, for what must outlive it while the database is away. A record
/// is its length, the CRC-32C of its bytes and the bytes; the first one is a head that says whose it is. A record is there whole or
/// not at all: reading ends where a length or a checksum is wrong, which is where a crash tore the file. One caller at a time.
/// </summary>
/// <remarks>The file is locked while its process lives, so that another process sharing the folder never takes it for an orphan.</remarks>
internal sealed class NodeJournal : IDisposable
{
    /// <summary>Ending of the files.</summary>
    public const string Ending = ".journal";

    /// <summary>Largest record in bytes.</summary>
    public const int MostRecord = 1 << 20;

    private const int HeadLength = 8;
    private static readonly byte[] _magic = "GLMJRNL1"u8.ToArray();
    private readonly FileStream _file;
    private readonly long _limit;
    private readonly bool _sync;
    private readonly long _start;

    private NodeJournal(FileStream file, long limit, bool sync, long start)
    {
        _file = file;
        _limit = limit;
        _sync = sync;
        _start = start;
    }

    /// <summary>Its path.</summary>
    public string Path => _file.Name;

    /// <summary>Bytes in it.</summary>
    public long Length => _file.Length;

    /// <summary>Whether it holds nothing but its head.</summary>
    public bool IsEmpty => _file.Length <= _start;

    /// <summary>Makes the file of this run.</summary>
    /// <param name="folder">Where; made when it is missing.</param>
    /// <param name="name">Name without ending; must be new.</param>
    /// <param name="head">Whose it is.</param>
    /// <param name="limit">Most bytes it may have.</param>
    /// <param name="durability">Whether each append is synced to the disk.</param>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be written.</exception>
    public static NodeJournal Create(string folder, string name, ReadOnlySpan<byte> head, long limit, StoreDurability durability)
    {
        Directory.CreateDirectory(folder);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var file = new FileStream(System.IO.Path.Combine(folder, name + Ending), options);
        try
        {
            var bytes = new ArrayBufferWriter<byte>();
            bytes.Write(_magic);
            Frame(bytes, head);
            file.Write(bytes.WrittenSpan);
            var journal = new NodeJournal(file, limit, durability == StoreDurability.Full, file.Length);
            journal.Sync();
            return journal;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Adds records, all or (after a fault) none; they are durable when it returns.</summary>
    /// <returns>Whether there was room.</returns>
    /// <exception cref="IOException">The disk is full or broken; the file is as before.</exception>
    public bool TryAppend(IReadOnlyList<ReadOnlyMemory<byte>> records)
    {
        var bytes = new ArrayBufferWriter<byte>();
        foreach (ReadOnlyMemory<byte> record in records)
            Frame(bytes, record.Span);
        long end = _file.Length;
        if (end + bytes.WrittenCount > _limit)
            return false;
        try
        {
            _file.Position = end;
            _file.Write(bytes.WrittenSpan);
            Sync();
            return true;
        }
        catch (IOException)
        {
            // Half a record would hide those that follow it.
            _file.SetLength(end);
            throw;
        }
    }

    /// <summary>Forgets the records.</summary>
    public void Clear() => _file.SetLength(_start);

    /// <summary>Closes it, and removes it when it is empty.</summary>
    public void Dispose()
    {
        bool empty = IsEmpty;
        _file.Dispose();
        if (empty)
            File.Delete(Path);
    }

    /// <summary>Removes a file that was closed; left alone when another process has taken it meanwhile, which removes it itself.</summary>
    public static void Remove(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            File.Delete(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // It stays for the next start, which settles nothing twice.
        }
    }

    /// <summary>Opens the files in a folder whose processes are gone. The caller closes them, and removes those it has done with.</summary>
    public static IEnumerable<NodeJournalReader> Orphans(string folder)
    {
        if (!Directory.Exists(folder))
            yield break;
        foreach (string path in Directory.EnumerateFiles(folder, "*" + Ending).Order(StringComparer.Ordinal))
        {
            FileStream file;
            try
            {
                file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16);
            }
            catch (Exception fault) when (fault is IOException or FileNotFoundException)
            {
                continue;   // its process lives, or another one has taken it
            }

            yield return new NodeJournalReader(file);
        }
    }

    /// <summary>Reads the head and the records of a file; stops at a torn one.</summary>
    /// <param name="file">From its beginning.</param>
    /// <param name="torn">Receives how many bytes at the end are no whole record.</param>
    /// <returns>The head first; empty when even that is not whole.</returns>
    public static List<byte[]> Read(Stream file, out long torn)
    {
        var records = new List<byte[]>();
        long good = 0;
        byte[] head = new byte[HeadLength];
        if (file.ReadAtLeast(head, HeadLength, throwOnEndOfStream: false) == HeadLength && head.AsSpan().SequenceEqual(_magic))
        {
            good = HeadLength;
            while (file.ReadAtLeast(head, HeadLength, throwOnEndOfStream: false) == HeadLength)
            {
                uint length = BinaryPrimitives.ReadUInt32LittleEndian(head);
                if (length > MostRecord || length > file.Length - file.Position)
                    break;
                byte[] record = new byte[length];
                file.ReadExactly(record);
                if (Checksum(record) != BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(4)))
                    break;
                records.Add(record);
                good = file.Position;
            }
        }

        torn = file.Length - good;
        return records;
    }

    private static void Frame(ArrayBufferWriter<byte> bytes, ReadOnlySpan<byte> record)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(record.Length, MostRecord);
        Span<byte> head = bytes.GetSpan(HeadLength);
        BinaryPrimitives.WriteUInt32LittleEndian(head, (uint)record.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[4..], Checksum(record));
        bytes.Advance(HeadLength);
        bytes.Write(record);
    }

    // CRC-32C (Castagnoli), as RFC 3720 has it.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (byte value in bytes)
            crc = BitOperations.Crc32C(crc, value);
        return ~crc;
    }

    private void Sync()
    {
        // Once written, the bytes outlive the process; the disk is for the loss of power.
        if (_sync)
            RandomAccess.FlushToDisk(_file.SafeFileHandle);
    }
}

/// <summary>A journal whose process is gone. Locked until it is closed.</summary>
internal sealed class NodeJournalReader(FileStream file) : IDisposable
{
    /// <summary>Its path.</summary>
    public string Path { get; } = file.Name;

    /// <summary>Reads it whole.</summary>
    /// <inheritdoc cref="NodeJournal.Read"/>
    public List<byte[]> Read(out long torn)
    {
        file.Position = 0;
        return NodeJournal.Read(file, out torn);
    }

    /// <summary>Removes it: everything in it is in the database.</summary>
    public void Delete() => File.Delete(Path);

    public void Dispose() => file.Dispose();
}
