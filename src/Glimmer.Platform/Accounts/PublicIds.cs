using System.Security.Cryptography;

namespace Glimmer.Platform.Accounts;

/// <summary>Names of things on the wire: a kind and 20 random letters and digits (98 bits), never a counter.</summary>
internal static class PublicIds
{
    public const string Account = "acc";
    public const string Project = "proj";
    public const string User = "user";
    public const string Invitation = "inv";

    private const string Alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

    public static string New(string kind) => $"{kind}-{RandomNumberGenerator.GetString(Alphabet, 20)}";
}
