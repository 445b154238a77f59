using System.Diagnostics;

namespace Glimmer.Cli.Tests.Hub;

/// <summary>A file system of one mebibyte in memory. Needs the right to mount; a test that cannot have it says so and is skipped.</summary>
internal sealed class SmallDisk : IDisposable
{
    private SmallDisk(string path) => Path = path;

    public string Path { get; }

    public static SmallDisk Mount()
    {
        string path = Directory.CreateTempSubdirectory("glimmer-disk-").FullName;
        if (!OperatingSystem.IsLinux() || Run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path) != 0)
        {
            Directory.Delete(path);
            Assert.Skip("mounting a small file system needs root on Linux");
        }

        return new SmallDisk(path);
    }

    public void Dispose()
    {
        Run("umount", Path);
        Directory.Delete(Path, recursive: true);
    }

    private static int Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
