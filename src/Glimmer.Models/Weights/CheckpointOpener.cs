namespace Glimmer.Models.Weights;

/// <summary>Opens weights by what lies at a path: a GGUF file, a safetensors file, or a folder with either.</summary>
public static class CheckpointOpener
{
    private const string Supported = "a GGUF file (.gguf, also split), a .safetensors file, an index (.safetensors.index.json), or a folder that holds one of these";

    /// <summary>Opens the weights at <paramref name="path"/>: a <see cref="GgufFile"/>, <see cref="SafetensorsFile"/> or <see cref="SafetensorsCheckpoint"/>.</summary>
    /// <exception cref="ModelFileException">Nothing usable lies there; the message says what was found and what is supported.</exception>
    public static IWeightSource Open(string path)
    {
        if (Directory.Exists(path))
            return OpenFolder(path);
        if (!File.Exists(path))
            throw new ModelFileException(path, $"does not exist; expected {Supported}");
        if (GgufFile.Recognises(path) || path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
            return GgufFile.Open(path);
        if (path.EndsWith(".safetensors.index.json", StringComparison.OrdinalIgnoreCase))
            return SafetensorsCheckpoint.OpenIndex(path);
        if (path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) || LooksLikeSafetensors(path))
            return SafetensorsFile.Open(path);
        throw new ModelFileException(path, $"is {Describe(path)}; expected {Supported}");
    }

    private static IWeightSource OpenFolder(string folder)
    {
        if (SafetensorsCheckpoint.Recognises(folder))
            return SafetensorsCheckpoint.Open(folder);
        string[] ggufs = Files(folder, "*.gguf", keep: name => !name.Contains("mmproj", StringComparison.OrdinalIgnoreCase));
        string[] safetensors = Files(folder, "*.safetensors", keep: _ => true);
        string[] models = [.. ggufs.Where(path => !GgufFile.IsPartName(Path.GetFileName(path), out _, out int part) || part == 1)];
        if (models.Length == 0 && ggufs.Length > 0)
            models = [ggufs[0]]; // only later parts of a split model: opening one names those that are missing
        if (models.Length == 1)
            return GgufFile.Open(models[0]);
        if (models.Length > 1)
            throw new ModelFileException(folder, $"holds {models.Length} GGUF models ({Sample(models)}); name one of the files");
        if (safetensors.Length == 1)
            return SafetensorsFile.Open(safetensors[0]);
        if (safetensors.Length > 1)
            throw new ModelFileException(folder, $"holds {safetensors.Length} safetensors files ({Sample(safetensors)}) but no model.safetensors.index.json that says what is in them");
        string[] others = Files(folder, "*", keep: _ => true);
        throw new ModelFileException(folder, $"holds no weights: {(others.Length == 0 ? "it has no files" : $"found {Sample(others)}")}; expected {Supported}");
    }

    private static string[] Files(string folder, string pattern, Func<string, bool> keep)
    {
        try
        {
            return [.. Directory.EnumerateFiles(folder, pattern).Where(path => keep(Path.GetFileName(path))).Order(StringComparer.Ordinal)];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ModelFileException(folder, $"cannot be read: {fault.Message}", fault);
        }
    }

    private static string Sample(string[] paths) =>
        string.Join(", ", paths.Take(5).Select(Path.GetFileName)) + (paths.Length > 5 ? $" and {paths.Length - 5} more" : "");

    private static bool LooksLikeSafetensors(string path)
    {
        byte[] start = Start(path);
        return start.Length >= 9 && start[8] == (byte)'{' && BitConverter.ToUInt64(start) <= 100_000_000;
    }

    private static string Describe(string path)
    {
        byte[] start = Start(path);
        return start switch
        {
            [] => "empty",
            [(byte)'P', (byte)'K', 3, 4, ..] => "a zip archive, perhaps a PyTorch checkpoint (.bin, .pt), which can hold code and is not opened: convert it to safetensors",
            [0x80, 2 or 3 or 4 or 5, ..] => "a Python pickle, perhaps an old PyTorch checkpoint, which can hold code and is not opened: convert it to safetensors",
            [(byte)'l', (byte)'m', (byte)'g', (byte)'g', ..] or [(byte)'t', (byte)'j', (byte)'g', (byte)'g', ..] or [(byte)'f', (byte)'m', (byte)'g', (byte)'g', ..] => "a GGML file, the predecessor of GGUF: convert it again",
            [(byte)'{', ..] => "a JSON file",
            _ when System.Text.Encoding.ASCII.GetString(start).StartsWith("version https://git-lfs", StringComparison.Ordinal) => "a Git LFS pointer, not the file itself: fetch it with git lfs pull",
            _ => "no model file",
        };
    }

    private static byte[] Start(string path)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            byte[] start = new byte[32];
            return start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ModelFileException(path, $"cannot be read: {fault.Message}", fault);
        }
    }
}
