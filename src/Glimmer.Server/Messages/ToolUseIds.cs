using System.Security.Cryptography;

namespace Glimmer.Server.Messages;

/// <summary>Ids of tool calls in the form that clients of the Messages API know.</summary>
internal static class ToolUseIds
{
    /// <summary><c>toolu_</c> and 24 letters and digits.</summary>
    public static string New() => "toolu_" + RandomNumberGenerator.GetString("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789", 24);
}
