using System.Runtime.InteropServices;

namespace Glimmer.Kernels.Integer.Emitted;

/// <summary>Pages of machine code: written first, then made executable and no longer writable. They live as long as the process.</summary>
internal static unsafe partial class ExecutableMemory
{
    private const int ReadWrite = 3, ReadExecute = 5, PrivateAnonymous = 0x22;

    /// <summary>Copies code into a page of its own; null where the system forbids it.</summary>
    public static void* TryCreate(ReadOnlySpan<byte> code)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        nuint size = (nuint)(code.Length + 4095 & ~4095);
        void* page = Map(null, size, ReadWrite, PrivateAnonymous, -1, 0);
        if ((nint)page == -1)
            return null;
        code.CopyTo(new Span<byte>(page, code.Length));
        if (Protect(page, size, ReadExecute) == 0)
            return page;
        _ = Unmap(page, size);
        return null;
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(void* address, nuint length);
}
