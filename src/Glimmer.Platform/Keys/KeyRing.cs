using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Keys;

/// <summary>
/// Keys in a file, <c>keys.json</c>, as they were kept before accounts were: an embedder may still use it, and the platform takes
/// its keys over at the first start (<see cref="Accounts.PlatformAccounts"/>). The file lies in the data folder. Looking a key up reads memory only; once a
/// second the file's stamp is compared, so that keys made or switched off by another process count at once. Changes
/// replace the file in one step under a lock file.
/// </summary>
public sealed class KeyRing : IKeySource
{
    /// <summary>Name of the key file in the data folder.</summary>
    public const string FileName = "keys.json";

    /// <summary>Name of the protection key in the data folder.</summary>
    public const string ProtectionFileName = "protection.key";

    private static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(1);

    // Each change of another process is written through to the disk under the lock.
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(1);
    private readonly string _path;
    private readonly string _folder;
    private readonly string _setting;
    private readonly TimeProvider _time;
    private readonly SecretSeal _seal;
    private volatile FrozenDictionary<string, StoredKey> _keys;
    private volatile FrozenDictionary<UInt128, KeyEntry> _entries = FrozenDictionary<UInt128, KeyEntry>.Empty;
    private FileStamp _stamp;
    private long _nextCheck;

    private KeyRing(string folder, string setting, TimeProvider time, SecretSeal seal)
    {
        _folder = folder;
        _path = Path.Combine(folder, FileName);
        _setting = setting;
        _time = time;
        _seal = seal;
        _keys = FrozenDictionary<string, StoredKey>.Empty;
    }

    /// <summary>Called when the file changed and cannot be read; the keys known before stay in force.</summary>
    public Action<KeyRingException>? ReloadFailed { get; set; }

    /// <summary>All keys, the oldest first.</summary>
    public IReadOnlyList<AccessKey> Keys => [.. _keys.Values.OrderBy(key => key.Created).Select(key => key.ToAccessKey())];

    /// <summary>Opens the key ring of a data folder, which is made when it is missing.</summary>
    /// <param name="folder">Data folder.</param>
    /// <param name="time">Clock.</param>
    /// <param name="setting">Name of the setting that chose the folder, for messages.</param>
    /// <exception cref="KeyRingException">Folder or file cannot be used.</exception>
    public static KeyRing Open(string folder, TimeProvider time, string setting = "Glimmer:DataFolder")
    {
        folder = Path.GetFullPath(folder);
        try
        {
            Directory.CreateDirectory(folder);
            string path = Path.Combine(folder, FileName);
            string protection = Path.Combine(folder, ProtectionFileName);
            KeyFile? file = File.Exists(path) ? KeyFile.Read(path, setting) : null;
            if (file is { Keys.Count: > 0 } && !File.Exists(protection))
            {
                throw new KeyRingException(
                    $"The protection key {protection} is missing, but {path} holds keys sealed with it. Restore it, or move both away to start with a new key (data folder: {setting}).");
            }

            var ring = new KeyRing(folder, setting, time, SecretSeal.Open(protection, setting));
            ring._stamp = FileStamp.Of(path);
            if (file is not null)
                ring.Take(file);
            return ring;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new KeyRingException($"The data folder {folder} cannot be written: {fault.Message} Make it writable, or choose another one ({setting}).", fault);
        }
    }

    /// <summary>Makes a key and stores it.</summary>
    /// <param name="name">What its owner calls it.</param>
    /// <param name="expires">When it stops to work; null for never.</param>
    /// <exception cref="KeyRingException">The file cannot be written.</exception>
    public NewAccessKey Create(string name, DateTimeOffset? expires = null)
    {
        string id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        string secret = KeySecrets.Create();
        byte[] bytes = Encoding.UTF8.GetBytes(secret);
        byte[] salt = RandomNumberGenerator.GetBytes(16);
        var stored = new StoredKey(id, name, _time.GetUtcNow(), expires, false, salt, KeySecrets.Hash(salt, bytes), _seal.Seal(id, bytes));
        Change(keys => [.. keys, stored]);
        return new NewAccessKey(stored.ToAccessKey(), $"{id}.{secret}");
    }

    /// <summary>Switches a key off or on again.</summary>
    /// <returns>False when there is no such key.</returns>
    /// <exception cref="KeyRingException">The file cannot be written.</exception>
    public bool SetDisabled(string id, bool disabled)
    {
        bool found = false;
        Change(keys => [.. keys.Select(key =>
        {
            if (!string.Equals(key.Id, id, StringComparison.Ordinal))
                return key;
            found = true;
            return key with { Disabled = disabled };
        })]);
        return found;
    }

    /// <summary>Deletes a key.</summary>
    /// <returns>False when there is no such key.</returns>
    /// <exception cref="KeyRingException">The file cannot be written.</exception>
    public bool Delete(string id)
    {
        bool found = false;
        Change(keys =>
        {
            StoredKey[] rest = [.. keys.Where(key => !string.Equals(key.Id, id, StringComparison.Ordinal))];
            found = rest.Length < keys.Count;
            return rest;
        });
        return found;
    }

    long IKeySource.Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    SecretSeal IKeySource.Seal => _seal;

    KeyEntry? IKeySource.Find(ReadOnlySpan<char> id)
    {
        ReloadIfChanged();
        return _entries.GetValueOrDefault(KeyEntry.IndexOf(id));
    }

    Protocol.Errors.PlatformError? IKeySource.CheckAccount(KeyEntry key) => null;

    void IKeySource.Used(KeyEntry key)
    {
    }

    private void ReloadIfChanged()
    {
        long now = _time.GetTimestamp();
        long due = Interlocked.Read(ref _nextCheck);
        if (now < due || Interlocked.CompareExchange(ref _nextCheck, now + ((long)CheckEvery.TotalSeconds * _time.TimestampFrequency), due) != due)
            return;
        FileStamp stamp = FileStamp.Of(_path);
        if (stamp == _stamp)
            return;
        _stamp = stamp;
        try
        {
            // A file that was moved away means that no key is valid any more.
            Take(stamp.Exists ? KeyFile.Read(_path, _setting) : new KeyFile(KeyFile.CurrentVersion, []));
        }
        catch (KeyRingException fault)
        {
            ReloadFailed?.Invoke(fault);
        }
    }

    private void Take(KeyFile file)
    {
        var keys = new Dictionary<string, StoredKey>(StringComparer.Ordinal);
        foreach (StoredKey key in file.Keys)
            keys[key.Id] = key;
        _entries = keys.Values.ToFrozenDictionary(key => KeyEntry.IndexOf(key.Id), KeyEntry.Of);
        _keys = keys.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private void Change(Func<IReadOnlyList<StoredKey>, IReadOnlyList<StoredKey>> change)
    {
        try
        {
            using FileStream guard = HeldFile.Open(Path.Combine(_folder, FileName + ".lock"), _patience);
            KeyFile file = File.Exists(_path) ? KeyFile.Read(_path, _setting) : new KeyFile(KeyFile.CurrentVersion, []);
            file = file with { Keys = change(file.Keys) };
            file.Write(_path);
            _stamp = FileStamp.Of(_path);
            Take(file);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new KeyRingException($"The key file {_path} cannot be written: {fault.Message} Make its folder writable, or choose another one ({_setting}).", fault);
        }
    }

    private readonly record struct FileStamp(bool Exists, long Length, DateTime Written)
    {
        public static FileStamp Of(string path)
        {
            var info = new FileInfo(path);
            return info.Exists ? new FileStamp(true, info.Length, info.LastWriteTimeUtc) : default;
        }
    }
}
