using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary>Ids of responses, items and conversations: a prefix and 32 hexadecimal digits.</summary>
internal static class ResponseIds
{
    /// <summary>A new id.</summary>
    /// <param name="prefix"><c>resp</c>, <c>msg</c>, <c>rs</c>, <c>fc</c>, <c>fco</c>, <c>conv</c> or <c>item</c>.</param>
    public static string New(string prefix) => $"{prefix}_{IdChance.Next():x16}{IdChance.Next():x16}";
}
