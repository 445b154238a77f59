using Glimmer.Platform.Keys;

namespace Glimmer.Platform.Tests.Keys;

public sealed class KeyRingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Files_are_private_and_hold_no_secret()
    {
        KeyRing ring = KeyRing.Open(_folder.File("new/data"), _time);
        NewAccessKey key = ring.Create("laptop");
        string text = File.ReadAllText(_folder.File("new/data/keys.json"));
        Assert.Contains(key.Key.Id, text);
        Assert.DoesNotContain(key.Credential.Split('.')[1], text);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder.File("new/data/keys.json")));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder.File("new/data/protection.key")));
        }

        Assert.Empty(Directory.GetFiles(_folder.File("new/data"), "*.tmp"));
    }

    [Fact]
    public void Keys_last_over_a_restart()
    {
        NewAccessKey key = KeyRing.Open(_folder.Path, _time).Create("laptop", _time.GetUtcNow().AddDays(1));
        KeyRing again = KeyRing.Open(_folder.Path, _time);
        Assert.Equal([key.Key], again.Keys);
        Assert.Equal(key.Key, new Authenticator(again).Authenticate(new Credentials(key.Credential)).Key);
    }

    [Fact]
    public void Another_process_s_changes_count_within_a_second()
    {
        KeyRing ring = KeyRing.Open(_folder.Path, _time);
        KeyRing other = KeyRing.Open(_folder.Path, _time);
        NewAccessKey key = other.Create("made elsewhere");
        var authenticator = new Authenticator(ring);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(authenticator.Authenticate(new Credentials(key.Credential)).Error);
        other.SetDisabled(key.Key.Id, true);
        File.SetLastWriteTimeUtc(_folder.File("keys.json"), DateTime.UtcNow.AddSeconds(5));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.NotNull(authenticator.Authenticate(new Credentials(key.Credential)).Error);
    }

    [Fact]
    public void A_file_damaged_while_running_leaves_the_known_keys_in_force()
    {
        KeyRing ring = KeyRing.Open(_folder.Path, _time);
        NewAccessKey key = ring.Create("laptop");
        var faults = new List<KeyRingException>();
        ring.ReloadFailed = faults.Add;
        File.WriteAllText(_folder.File("keys.json"), "{ oops");
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(new Authenticator(ring).Authenticate(new Credentials(key.Credential)).Error);
        Assert.Contains("keys.json", Assert.Single(faults).Message);
    }

    [Theory]
    [InlineData("keys.json", "{ oops", "damaged")]
    [InlineData("keys.json", "", "damaged")]
    [InlineData("keys.json", "[]", "damaged")]
    [InlineData("keys.json", "{\"version\":1}", "damaged")]
    [InlineData("keys.json", "{\"version\":1,\"keys\":[null]}", "damaged")]
    [InlineData("keys.json", "{\"version\":1,\"keys\":[{\"id\":\"a\"}]}", "damaged")]
    [InlineData("keys.json", "{\"version\":2,\"keys\":[]}", "version 2")]
    [InlineData("protection.key", "short", "damaged")]
    public void A_damaged_file_is_named_with_the_setting(string name, string content, string part)
    {
        File.WriteAllText(_folder.File(name), content);
        KeyRingException fault = Assert.Throws<KeyRingException>(() => KeyRing.Open(_folder.Path, _time, "Glimmer:DataFolder"));
        Assert.Contains(_folder.File(name), fault.Message);
        Assert.Contains("Glimmer:DataFolder", fault.Message);
        Assert.Contains(part, fault.Message);
    }

    [Fact]
    public void A_lost_protection_key_is_told()
    {
        KeyRing.Open(_folder.Path, _time).Create("laptop");
        File.Delete(_folder.File("protection.key"));
        Assert.Contains("protection.key", Assert.Throws<KeyRingException>(() => KeyRing.Open(_folder.Path, _time)).Message);
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_named_with_the_setting()
    {
        File.WriteAllText(_folder.File("occupied"), "");
        KeyRingException fault = Assert.Throws<KeyRingException>(() => KeyRing.Open(_folder.File("occupied/data"), _time));
        Assert.Contains("occupied", fault.Message);
        Assert.Contains("Glimmer:DataFolder", fault.Message);
    }

    [Fact]
    public void Many_processes_may_change_the_file_at_once()
    {
        KeyRing.Open(_folder.Path, _time);
        Parallel.For(0, 8, i => KeyRing.Open(_folder.Path, _time).Create($"key {i}"));
        Assert.Equal(8, KeyRing.Open(_folder.Path, _time).Keys.Count);
    }

    [Fact]
    public void Secrets_avoid_the_words_that_a_client_takes_for_a_placeholder()
    {
        for (int i = 0; i < 20000; i++)
        {
            string secret = KeySecrets.Create();
            Assert.Equal(24, secret.Length);
            Assert.DoesNotContain("api", secret, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("key", secret, StringComparison.OrdinalIgnoreCase);
        }
    }
}
