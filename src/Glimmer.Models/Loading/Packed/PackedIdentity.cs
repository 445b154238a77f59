using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Glimmer.Kernels;

namespace Glimmer.Models.Loading.Packed;

/// <summary>What a kept copy of rearranged weights was made from: the same files, options and layout give the same identity.</summary>
/// <param name="FileName">Name of the copy in its folder: one per model file and place.</param>
/// <param name="Hash">32 bytes.</param>
internal sealed record PackedIdentity(string FileName, byte[] Hash)
{
    /// <summary>The identity of a model file or checkpoint folder; null when its files cannot be listed.</summary>
    public static PackedIdentity? Of(string path, LoadOptions options)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"layout {WeightMatrix.PackedLayoutVersion}\nquantise {options.QuantiseTo}\ndraft {options.DraftLayer}\n{full}\n");
        try
        {
            // A folder is a checkpoint; a GGUF file may be one of several parts beside each other.
            string folder = Directory.Exists(full) ? full : Path.GetDirectoryName(full)!;
            string pattern = Directory.Exists(full) ? "*" : full.Contains("-of-", StringComparison.Ordinal) ? "*-of-*" : Path.GetFileName(full);
            foreach (FileInfo file in new DirectoryInfo(folder).EnumerateFiles(pattern).OrderBy(file => file.Name, StringComparer.Ordinal))
            {
                if (file.Extension is ".gguf" or ".safetensors" || file.Name == "config.json" || file.FullName == full)
                    text.Append(CultureInfo.InvariantCulture, $"{file.Name} {file.Length} {file.LastWriteTimeUtc.Ticks}\n");
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return null; // then the model itself will say what is wrong with its files
        }

        string place = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(full)))[..12];
        return new PackedIdentity($"{Path.GetFileNameWithoutExtension(full)}-{place}.packed", SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    /// <summary>The key of one matrix in the copy.</summary>
    public static long KeyOf(string canonical, WeightMatrix matrix)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{canonical}\n{matrix.Format} {matrix.Rows} {matrix.Columns}");
        return BitConverter.ToInt64(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }
}
