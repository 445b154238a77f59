using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Glimmer.Models.Weights;

/// <summary>
/// The bytes of one file, mapped read-only. The mapping lives exactly as long as this object is reachable: tensors and
/// lists that point into it hold it as their owner, so no view can outlive it, whatever is disposed in which order.
/// The file handle itself is closed at once.
/// </summary>
/// <remarks>
/// The length is checked when the file is opened. A file that another process cuts short while it is mapped ends this
/// process with a bus error at the next read of a lost page, as with every engine that maps weights: replace model
/// files by renaming a new file over the old one, never by writing into it.
/// </remarks>
internal sealed unsafe partial class FileBytes
{
    private const int AdviseNotNeeded = 4;

    private readonly object? _keepAlive; // the mapping's handle, or the pinned array; frees itself when unreachable

    private FileBytes(string path, byte* start, long length, object? keepAlive)
    {
        Path = path;
        Start = start;
        Length = length;
        _keepAlive = keepAlive;
    }

    /// <summary>The file's path, for messages.</summary>
    public string Path { get; }

    /// <summary>First byte.</summary>
    public byte* Start { get; }

    /// <summary>Bytes in the file.</summary>
    public long Length { get; }

    /// <summary>Maps a file.</summary>
    /// <exception cref="ModelFileException">It is missing, a folder, empty or not readable.</exception>
    public static FileBytes Map(string path)
    {
        if (Directory.Exists(path))
            throw new ModelFileException(path, "is a folder where a file was expected");
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            long length = stream.Length;
            if (length == 0)
                throw new ModelFileException(path, "is empty");
            using MemoryMappedFile mapping = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);

            // The accessor is left to its handle's finaliser: disposing it would unmap under the tensors.
            MemoryMappedViewAccessor view = mapping.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            byte* start = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            return new FileBytes(path, start + view.PointerOffset, length, view.SafeMemoryMappedViewHandle);
        }
        catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelFileException(path, "does not exist", fault);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new ModelFileException(path, $"cannot be read: {fault.Message}", fault);
        }
    }

    /// <summary>Wraps bytes that are already in memory as if they were the file <paramref name="path"/>.</summary>
    public static FileBytes FromMemory(string path, ReadOnlySpan<byte> bytes)
    {
        byte[] pinned = GC.AllocateUninitializedArray<byte>(bytes.Length + 64, pinned: true);
        byte* start = (byte*)Unsafe.AsPointer(ref pinned[0]);
        start += (64 - ((nint)start & 63)) & 63; // tensors sit as they would in a mapped file
        bytes.CopyTo(new Span<byte>(start, bytes.Length));
        return new FileBytes(path, start, bytes.Length, pinned);
    }

    /// <summary>Whether the bytes are a mapped file, whose pages the system can take back and bring again.</summary>
    public bool CanRelease => _keepAlive is SafeMemoryMappedViewHandle;

    /// <summary>Says that a part will hardly be read again, so that its pages leave this process's memory. They come back when they are read. Does nothing where the bytes are no mapped file (<see cref="CanRelease"/>).</summary>
    public void Release(byte* start, long length)
    {
        nint page = Environment.SystemPageSize, first = ((nint)start + page - 1) / page * page, end = (nint)(start + length) / page * page;
        if (CanRelease && OperatingSystem.IsLinux() && end > first)
            _ = Advise((void*)first, (nuint)(end - first), AdviseNotNeeded); // only a wish; a mapped file loses nothing
    }

    /// <summary>A part of the file; valid while this object is reachable.</summary>
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        if (offset < 0 || length < 0 || offset > Length - length)
            throw new ModelFileException(Path, $"bytes {offset} to {offset + length} are beyond the end ({Length} bytes)");
        GC.KeepAlive(_keepAlive);
        return new ReadOnlySpan<byte>(Start + offset, length);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(void* address, nuint length, int advice);
}
