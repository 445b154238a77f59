using Glimmer.Platform.Accounts.SignIn;

namespace Glimmer.Platform.Tests.Accounts.SignIn;

public sealed class PasswordHashTests
{
    [Fact]
    public void A_hash_fits_its_password_only()
    {
        string hash = PasswordHash.Create("pässword 密码", 1000);
        Assert.True(PasswordHash.Verify("pässword 密码", hash, out bool outdated));
        Assert.True(outdated);
        Assert.False(PasswordHash.Verify("passwörd 密码", hash, out _));
        Assert.NotEqual(hash, PasswordHash.Create("pässword 密码", 1000));
        Assert.True(PasswordHash.Verify("x", PasswordHash.Create("x"), out outdated));
        Assert.False(outdated);
    }

    /// <summary>RFC 7914 gives SHA-256 vectors only; this one is from Python's hashlib.pbkdf2_hmac("sha512", b"password", b"salt"*4, 1000, 64).</summary>
    [Fact]
    public void The_scheme_is_the_standard_one()
    {
        byte[] salt = "saltsaltsaltsalt"u8.ToArray();
        byte[] hash = System.Security.Cryptography.Rfc2898DeriveBytes.Pbkdf2("password"u8, salt, 1000, System.Security.Cryptography.HashAlgorithmName.SHA512, 64);
        Assert.Equal("ef5e6ba88af97573953e9061aaab2e825d37ef34f96d6253598999b4870af210678ac2a9c1f63b92892fc230eb347a87845e743dbecc0fa1ef909c220d0c38c3", Convert.ToHexStringLower(hash));
        Assert.True(PasswordHash.Verify("password", $"pbkdf2-sha512$1000${Convert.ToBase64String(salt)}${Convert.ToBase64String(hash)}", out _));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("plain")]
    [InlineData("pbkdf2-sha512$0$AAAA$AAAA")]
    [InlineData("pbkdf2-sha512$99999999999$AAAA$AAAA")]
    [InlineData("scrypt$1$AAAA$AAAA")]
    public void What_is_no_hash_fits_nothing(string? stored) => Assert.False(PasswordHash.Verify("", stored, out _));

    [Theory]
    [InlineData("short", true)]
    [InlineData("aaaaaaaaaaaa", true)]
    [InlineData("Password123", true)]
    [InlineData("someone@example.com", true)]
    [InlineData("correct horse", false)]
    [InlineData("密码密码一二三四", false)]
    public void Weak_passwords_are_refused(string password, bool weak) => Assert.Equal(weak, PasswordHash.Weakness(password, "someone@example.com") is not null);
}
