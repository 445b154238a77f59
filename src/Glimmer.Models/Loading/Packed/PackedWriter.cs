using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Glimmer.Models.Loading.Packed;

/// <summary>Writes a kept copy beside its final place and moves it there when it is whole. A fault (a full disk, a folder that may not be written) only means that nothing is kept.</summary>
internal sealed unsafe class PackedWriter : IDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private readonly byte[] _identity;
    private readonly List<PackedFile.Entry> _entries = [];
    private SafeFileHandle? _file;
    private long _length = PackedFile.HeaderBytes;

    private PackedWriter(string path, byte[] identity)
    {
        _path = path;
        _identity = identity;
        _temporary = $"{path}.{Environment.ProcessId}.{Guid.NewGuid():N}.part";
        Attempt(() =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            _file = File.OpenHandle(_temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        });
    }

    /// <summary>What prevented the copy; null when nothing did.</summary>
    public string? Fault { get; private set; }

    /// <summary>Begins a copy.</summary>
    public static PackedWriter Create(string path, byte[] identity) => new(path, identity);

    /// <summary>Appends a matrix.</summary>
    public void Add(long key, byte* data, long length) => Attempt(() =>
    {
        if (_file is null)
            return;
        _length = (_length + 63) / 64 * 64;
        _entries.Add(new PackedFile.Entry { Key = key, At = _length, Length = length, Checksum = PackedFile.Checksum(data, length) });
        const int Piece = 64 << 20;
        for (long at = 0; at < length; at += Piece)
            RandomAccess.Write(_file, new ReadOnlySpan<byte>(data + at, (int)Math.Min(Piece, length - at)), _length + at);
        _length += length;
    });

    /// <summary>Writes table and header and puts the copy in place of an older one.</summary>
    public void Finish() => Attempt(() =>
    {
        if (_file is null)
            return;
        _length = (_length + 63) / 64 * 64;
        ReadOnlySpan<byte> table = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_entries));
        RandomAccess.Write(_file, table, _length);
        PackedFile.Header header = new() { Magic = PackedFile.Header.Signature, TableAt = _length, FileLength = _length + table.Length };
        fixed (byte* start = table)
            header.TableChecksum = PackedFile.Checksum(start, table.Length);
        _identity.CopyTo(new Span<byte>(header.Identity, 32));
        RandomAccess.Write(_file, MemoryMarshal.AsBytes(new ReadOnlySpan<PackedFile.Header>(in header)), 0);
        _file.Dispose();
        _file = null;
        File.Move(_temporary, _path, overwrite: true);
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
        if (File.Exists(_temporary))
            File.Delete(_temporary);
    }

    private void Attempt(Action action)
    {
        if (Fault is not null)
            return;
        try
        {
            action();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            Fault = fault.Message;
            _file?.Dispose();
            _file = null;
        }
    }
}
