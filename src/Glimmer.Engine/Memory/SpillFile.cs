using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Glimmer.Engine.Memory;

/// <summary>
/// A file of equal slots for pages: a header that says what it belongs to, and per slot the page's key and checksums. What does
/// not check is as good as empty. Private to the user, and to one process at a time.
/// </summary>
internal sealed class SpillFile : IDisposable
{
    private const int HeaderBytes = 4096;
    private const int SlotHeader = 64;
    private const int Version = 1;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode PrivateFolder = Private | UnixFileMode.UserExecute;
    private readonly SafeFileHandle _file;
    private readonly int _pageBytes;
    private readonly long _slotBytes;

    private SpillFile(SafeFileHandle file, int pageBytes, int slots)
    {
        _file = file;
        _pageBytes = pageBytes;
        _slotBytes = SlotBytes(pageBytes);
        Slots = slots;
    }

    /// <summary>Slots there may be.</summary>
    public int Slots { get; }

    /// <summary>Slots that a file of so many bytes holds.</summary>
    public static int SlotsIn(long bytes, int pageBytes) => (int)Math.Clamp((bytes - HeaderBytes) / SlotBytes(pageBytes), 0, 1 << 20);

    /// <summary>Opens or makes the file. A file that belongs to something else or is damaged is begun anew.</summary>
    /// <param name="path">Where it lies.</param>
    /// <param name="identity">What it belongs to, 32 bytes.</param>
    /// <param name="pageBytes">Bytes of a page.</param>
    /// <param name="slots">Slots at most; what lies behind is cut off.</param>
    /// <param name="found">Receives the keys found, with their slots.</param>
    /// <param name="damage">What was wrong with the file that was found; null when nothing.</param>
    /// <exception cref="IOException">It cannot be opened; another process may have it.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened.</exception>
    public static SpillFile Open(string path, ReadOnlySpan<byte> identity, int pageBytes, int slots, Action<SpillKey, int> found, out string? damage)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            Directory.CreateDirectory(folder, PrivateFolder);
        SafeFileHandle handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        try
        {
            // Before anything is written: an older file may have been readable for others.
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(handle, Private);
            SpillFile file = new(handle, pageBytes, slots);
            damage = file.CheckHeader(identity);
            if (damage is not null)
                RandomAccess.SetLength(handle, 0);
            long most = HeaderBytes + slots * file._slotBytes;
            if (RandomAccess.GetLength(handle) > most)
                RandomAccess.SetLength(handle, most);
            if (RandomAccess.GetLength(handle) == 0)
                file.WriteHeader(identity);
            else
                file.Scan(found);
            return file;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Reads the page of a slot; false when it is not the wanted one or does not check.</summary>
    public bool TryRead(int slot, SpillKey key, Span<byte> page)
    {
        Span<byte> header = stackalloc byte[SlotHeader];
        long at = HeaderBytes + slot * _slotBytes;
        return TryReadHeader(at, header, out SpillKey stored) && stored == key
            && ReadAll(page, at + SlotHeader) && Checksum(page) == BinaryPrimitives.ReadUInt32LittleEndian(header[SpillKey.Length..]);
    }

    /// <summary>Writes a page into a slot. The slot is empty until all of it is written.</summary>
    public void Write(int slot, SpillKey key, ReadOnlySpan<byte> page)
    {
        Span<byte> header = stackalloc byte[SlotHeader];
        header.Clear();
        long at = HeaderBytes + slot * _slotBytes;
        RandomAccess.Write(_file, header, at);
        RandomAccess.Write(_file, page, at + SlotHeader);
        key.WriteTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[SpillKey.Length..], Checksum(page));
        BinaryPrimitives.WriteUInt32LittleEndian(header[(SpillKey.Length + 4)..], Checksum(header[..(SpillKey.Length + 4)]));
        RandomAccess.Write(_file, header, at);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private static long SlotBytes(int pageBytes) => SlotHeader + (pageBytes + SlotHeader - 1L) / SlotHeader * SlotHeader;

    private string? CheckHeader(ReadOnlySpan<byte> identity)
    {
        if (RandomAccess.GetLength(_file) == 0)
            return null;
        Span<byte> stored = stackalloc byte[HeaderBytes], wanted = stackalloc byte[HeaderBytes];
        Compose(wanted, identity);
        if (!ReadAll(stored, 0))
            return "it is shorter than its header";
        return stored.SequenceEqual(wanted) ? null : "its header is not that of this model, page size and version";
    }

    private void WriteHeader(ReadOnlySpan<byte> identity)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        Compose(header, identity);
        RandomAccess.Write(_file, header, 0);
    }

    private void Compose(Span<byte> header, ReadOnlySpan<byte> identity)
    {
        header.Clear();
        "GLMSPILL"u8.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], _pageBytes);
        identity.CopyTo(header[16..]);
    }

    private void Scan(Action<SpillKey, int> found)
    {
        Span<byte> header = stackalloc byte[SlotHeader];
        long length = RandomAccess.GetLength(_file);
        for (int slot = 0; slot < Slots; slot++)
        {
            long at = HeaderBytes + slot * _slotBytes;
            if (at + SlotHeader + _pageBytes > length)
                return;
            if (TryReadHeader(at, header, out SpillKey key))
                found(key, slot);
        }
    }

    private bool TryReadHeader(long at, Span<byte> header, out SpillKey key)
    {
        key = default;
        if (!ReadAll(header, at) || Checksum(header[..(SpillKey.Length + 4)]) != BinaryPrimitives.ReadUInt32LittleEndian(header[(SpillKey.Length + 4)..]))
            return false;
        key = SpillKey.Of(header);
        return key != default;
    }

    private bool ReadAll(Span<byte> bytes, long at)
    {
        while (!bytes.IsEmpty)
        {
            int read = RandomAccess.Read(_file, bytes, at);
            if (read <= 0)
                return false;
            bytes = bytes[read..];
            at += read;
        }

        return true;
    }

    /// <summary>CRC-32C; over an empty header it is not 0, so that a cleared slot does not check.</summary>
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
            crc = BitOperations.Crc32C(crc, word);
        foreach (byte rest in bytes[(words.Length * sizeof(ulong))..])
            crc = BitOperations.Crc32C(crc, rest);
        return ~crc;
    }
}
