using Glimmer.Server.Transport;

namespace Glimmer.Server.Messages;

/// <summary>Ids of tool calls in the form that clients of the Messages API know.</summary>
internal static class ToolUseIds
{
    private const string Letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789";

    /// <summary><c>toolu_</c> and 24 letters and digits.</summary>
    public static string New() => string.Create(30, 0, static (id, _) =>
    {
        "toolu_".CopyTo(id);
        for (int i = 6; i < id.Length; i++)
            id[i] = Letters[(int)(IdChance.Next() % (uint)Letters.Length)];
    });
}
