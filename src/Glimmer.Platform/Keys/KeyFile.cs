using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Glimmer.Platform.Keys;

/// <summary>The stored form of a key. The secret is there twice: hashed for comparing, sealed for verifying tokens.</summary>
internal sealed record StoredKey(
    string Id,
    string Name,
    DateTimeOffset Created,
    DateTimeOffset? Expires,
    bool Disabled,
    byte[] Salt,
    byte[] Hash,
    byte[] Sealed)
{
    public AccessKey ToAccessKey() => new(Id, Name, Created, Expires, Disabled);
}

/// <summary>The file <c>keys.json</c>.</summary>
internal sealed record KeyFile(int Version, IReadOnlyList<StoredKey> Keys)
{
    public const int CurrentVersion = 1;
    public const int MaxFileBytes = 16 << 20;

    /// <summary>Reads a key file.</summary>
    /// <exception cref="KeyRingException">The file cannot be read or is not a key file.</exception>
    public static KeyFile Read(string path, string setting)
    {
        try
        {
            if (new FileInfo(path).Length > MaxFileBytes)
                throw new KeyRingException($"The key file {path} is larger than {MaxFileBytes >> 20} MiB; it is not a key file. Move it away or choose another data folder ({setting}).");
            using FileStream stream = File.OpenRead(path);
            KeyFile? file = JsonSerializer.Deserialize(stream, KeyFileJson.Default.KeyFile);
            if (file?.Keys is null || file.Keys.Any(key => key is null || string.IsNullOrEmpty(key.Id) || key.Hash is null || key.Salt is null || key.Sealed is null))
                throw new KeyRingException($"The key file {path} is damaged: a key lacks a field. Restore it from a backup, or move it away to start with a new key (data folder: {setting}).");
            if (file.Version != CurrentVersion)
                throw new KeyRingException($"The key file {path} has version {file.Version}; this build reads version {CurrentVersion} (data folder: {setting}).");
            return file;
        }
        catch (JsonException fault)
        {
            throw new KeyRingException(
                $"The key file {path} is damaged at line {fault.LineNumber + 1}. Restore it from a backup, or move it away to start with a new key (data folder: {setting}).", fault);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new KeyRingException($"The key file {path} cannot be read: {fault.Message} Check its permissions, or choose another data folder ({setting}).", fault);
        }
    }

    /// <summary>Writes the file whole or not at all, readable by its owner only.</summary>
    public void Write(string path) =>
        PrivateFile.WriteAtomically(path, JsonSerializer.SerializeToUtf8Bytes(this, KeyFileJson.Default.KeyFile));
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(KeyFile))]
internal sealed partial class KeyFileJson : JsonSerializerContext;

/// <summary>Files that only their owner may read.</summary>
internal static class PrivateFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Replaces a file in one step, so that a reader or a crash never sees half of it.</summary>
    public static void WriteAtomically(string path, ReadOnlySpan<byte> content)
    {
        string draft = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}.tmp";
        try
        {
            using (FileStream stream = Create(draft))
            {
                stream.Write(content);
                stream.Flush(flushToDisk: true);
            }

            File.Move(draft, path, overwrite: true);
        }
        finally
        {
            File.Delete(draft);
        }
    }

    private static FileStream Create(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = OwnerOnly;
        return new FileStream(path, options);
    }
}
