using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Glimmer.Models.Weights;

namespace Glimmer.Models.Loading.Packed;

/// <summary>
/// A kept copy of rearranged weights, mapped. The file: a header of <see cref="HeaderBytes"/>, the matrices in the order in which a model asks for them, each at a
/// multiple of 64, then the table of <see cref="Entry"/>.
/// </summary>
/// <remarks>Nothing in the file is believed: identity, lengths and checksums of table and matrices are compared first, and a copy with any fault counts as none.</remarks>
internal sealed unsafe class PackedFile
{
    /// <summary>Bytes before the first matrix.</summary>
    public const int HeaderBytes = 4096;

    private readonly FileBytes _bytes;
    private readonly Entry[] _entries;

    private PackedFile(FileBytes bytes, Entry[] entries)
    {
        _bytes = bytes;
        _entries = entries;
    }

    /// <summary>Keeps the bytes mapped.</summary>
    public object Owner => _bytes;

    /// <summary>Opens a copy; null when there is none, it was made from something else, or it is damaged.</summary>
    public static PackedFile? TryOpen(string path, ReadOnlySpan<byte> identity)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            FileBytes bytes = FileBytes.Map(path);
            if (bytes.Length < HeaderBytes)
                return null;
            Header header = MemoryMarshal.Read<Header>(bytes.Slice(0, HeaderBytes));
            if (header.Magic != Header.Signature || !new ReadOnlySpan<byte>(header.Identity, 32).SequenceEqual(identity) || header.FileLength != bytes.Length)
                return null;
            long tableAt = header.TableAt, tableBytes = bytes.Length - tableAt;
            if (tableAt < HeaderBytes || tableBytes < 0 || tableBytes > int.MaxValue || tableBytes % sizeof(Entry) != 0)
                return null;
            ReadOnlySpan<byte> table = bytes.Slice(tableAt, (int)tableBytes);
            if (Checksum(bytes.Start + tableAt, tableBytes) != header.TableChecksum)
                return null;
            Entry[] entries = MemoryMarshal.Cast<byte, Entry>(table).ToArray();
            if (Array.Exists(entries, entry => entry.At < HeaderBytes || entry.At % 64 != 0 || entry.Length < 0 || entry.At > tableAt - entry.Length))
                return null;

            // Reads everything once, which also brings it into memory.
            int damaged = 0;
            Parallel.ForEach(entries, entry =>
            {
                if (Checksum(bytes.Start + entry.At, entry.Length) != entry.Checksum)
                    Interlocked.Increment(ref damaged);
            });
            GC.KeepAlive(bytes);
            return damaged == 0 ? new PackedFile(bytes, entries) : null;
        }
        catch (ModelFileException)
        {
            return null; // not readable: as good as none
        }
    }

    /// <summary>The bytes of the matrix number <paramref name="index"/>, or null when the copy has another one there.</summary>
    public byte* Find(int index, long key, long length) =>
        index < _entries.Length && _entries[index].Key == key && _entries[index].Length == length ? _bytes.Start + _entries[index].At : null;

    /// <summary>Two running sums over 64-bit words (J. Fletcher, 1982) in four lanes: a changed or moved word changes them. At the speed of memory.</summary>
    public static ulong Checksum(byte* start, long length)
    {
        Vector256<ulong> a = Vector256.Create(1UL, 2, 3, 4), b = a;
        long at = 0;
        for (; at + 32 <= length; at += 32)
        {
            a += Vector256.Load((ulong*)(start + at));
            b += a;
        }

        ulong result = (ulong)length;
        for (; at < length; at++)
            result = result * 1099511628211 + start[at];
        for (int lane = 0; lane < 4; lane++)
            result = BitOperations.RotateLeft((result ^ a[lane]) * 0x9E3779B97F4A7C15, 29) + b[lane];
        return result;
    }

    /// <summary>Where a matrix lies.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 8)]
    internal struct Entry
    {
        public long Key;
        public long At;
        public long Length;
        public ulong Checksum;
    }

    /// <summary>The first bytes of the file; written last, so that a file that was not finished has none.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 8)]
    internal struct Header
    {
        public const ulong Signature = 0x31304B4341504C47; // GLPACK01

        public ulong Magic;
        public fixed byte Identity[32];
        public long FileLength;
        public long TableAt;
        public ulong TableChecksum;
    }
}
