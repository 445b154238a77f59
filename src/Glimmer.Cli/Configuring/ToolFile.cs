using System.Text;

namespace Glimmer.Cli.Configuring;

/// <summary>A tool's configuration file with the copy of what it was before Glimmer. Where there was no file, an empty mark beside it says so.</summary>
internal sealed class ToolFile
{
    private const int MaxBytes = 4 << 20;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Opens the file of a tool.</summary>
    /// <param name="path">Its path; where it is a link, what it leads to is edited.</param>
    /// <exception cref="FormatException">It is larger than a configuration file can be, or no UTF-8.</exception>
    public ToolFile(string path)
    {
        Path = File.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path : path;
        Backup = Path + ".glimmer-backup";
        Fresh = Path + ".glimmer-new";
        Text = Read(Path);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>What it was before.</summary>
    public string Backup { get; }

    /// <summary>Its text; null when there is no file.</summary>
    public string? Text { get; }

    private string Fresh { get; }

    /// <summary>Whether there is something to restore.</summary>
    public bool HasBackup => File.Exists(Backup) || File.Exists(Fresh);

    /// <summary>What it was before Glimmer; null when there was no file.</summary>
    public string? ReadBackup() => Read(Backup);

    /// <summary>Writes the text, readable by its owner only. The first time the old file is kept beside it.</summary>
    public void Write(string text)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        if (!HasBackup)
            Put(Text is null ? Fresh : Backup, Text ?? "");
        Put(Path, text);
    }

    /// <summary>Brings back what was there before, and forgets it.</summary>
    public void Restore()
    {
        if (File.Exists(Backup))
        {
            File.Move(Backup, Path, overwrite: true);
            return;
        }

        File.Delete(Path);
        File.Delete(Fresh);
    }

    private static string? Read(string path)
    {
        if (!File.Exists(path))
            return null;
        if (new FileInfo(path).Length > MaxBytes)
            throw new FormatException($"{path} is larger than {MaxBytes} bytes");
        try
        {
            return Strict.GetString(File.ReadAllBytes(path));
        }
        catch (DecoderFallbackException fault)
        {
            throw new FormatException($"{path} is no UTF-8", fault);
        }
    }

    private static void Put(string path, string text)
    {
        string beside = path + ".glimmer-writing";
        File.Delete(beside);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var stream = new FileStream(beside, options))
            stream.Write(Strict.GetBytes(text));
        File.Move(beside, path, overwrite: true);
    }
}
