using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Glimmer.Engine.Packages;

/// <summary>Names weights by their content, without reading all of it.</summary>
internal static class WeightIdentity
{
    private const int Samples = 64;
    private const int SampleBytes = 64 << 10;

    /// <summary>
    /// A hash over the files of a model in the order of their names: each one's length and evenly spaced samples, the first
    /// and the last bytes among them. Files of another fine-tuning have other samples.
    /// </summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static string Of(string path)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[SampleBytes];
        foreach (string file in FilesOf(path))
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle handle = File.OpenHandle(file, options: FileOptions.RandomAccess);
            long length = RandomAccess.GetLength(handle);
            BinaryPrimitives.WriteInt64LittleEndian(buffer, length);
            hash.AppendData(buffer.AsSpan(0, sizeof(long)));
            long last = Math.Max(0, length - SampleBytes), before = -1;
            for (int i = 0; i < Samples; i++)
            {
                long at = (long)((Int128)last * i / (Samples - 1));
                if (at == before)
                    continue;
                before = at;
                int read = RandomAccess.Read(handle, buffer, at);
                hash.AppendData(buffer.AsSpan(0, read));
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string[] FilesOf(string path)
    {
        if (Directory.Exists(path))
            return [.. Directory.GetFiles(path).Where(file => Path.GetExtension(file) is ".safetensors" or ".json" or ".gguf").Order(StringComparer.Ordinal)];
        // The parts of a split file have the same name but for their numbers.
        string name = Path.GetFileName(path);
        int part = name.IndexOf("-of-", StringComparison.Ordinal);
        return part < 6
            ? [path]
            : [.. Directory.GetFiles(Path.GetDirectoryName(Path.GetFullPath(path))!, $"{name[..(part - 5)]}*{name[part..]}").Order(StringComparer.Ordinal)];
    }
}
