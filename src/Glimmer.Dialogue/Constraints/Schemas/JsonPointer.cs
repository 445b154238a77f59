using System.Text.Json;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>JSON pointers (RFC 6901), plain and as URI fragments.</summary>
internal static class JsonPointer
{
    public static string Append(string pointer, string name) =>
        pointer + "/" + name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    public static string Append(string pointer, int index) => $"{pointer}/{index}";

    /// <summary>Follows a pointer from an element.</summary>
    public static bool TryFollow(JsonElement root, string pointer, out JsonElement target)
    {
        target = root;
        if (pointer.Length == 0)
            return true;
        if (pointer[0] != '/')
            return false;
        foreach (string part in pointer[1..].Split('/'))
        {
            string name = part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (target.ValueKind == JsonValueKind.Object && target.TryGetProperty(name, out JsonElement member))
                target = member;
            else if (target.ValueKind == JsonValueKind.Array && int.TryParse(name, out int index) && index >= 0 && index < target.GetArrayLength())
                target = target[index];
            else
                return false;
        }

        return true;
    }
}
