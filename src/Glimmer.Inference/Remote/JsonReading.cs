using System.Text.Json;

namespace Glimmer.Inference.Remote;

/// <summary>Members of foreign JSON that may be absent or null.</summary>
internal static class JsonReading
{
    /// <summary>A member that is there and not null.</summary>
    public static bool TryGet(this JsonElement parent, string name, out JsonElement value)
    {
        value = default;
        return parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;
    }

    /// <summary>A member that is a whole number of at least 0; null for anything else.</summary>
    public static int? FindCount(this JsonElement parent, string name) =>
        parent.TryGet(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int count) && count >= 0 ? count : null;

    /// <summary>A member that is a text; null for anything else.</summary>
    public static string? FindText(this JsonElement parent, string name) =>
        parent.TryGet(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>The whole numbers of an array of tokens; null when the member is absent.</summary>
    public static int[]? FindTokens(this JsonElement parent, string name) =>
        parent.TryGet(name, out JsonElement value) ? [.. value.EnumerateArray().Select(token => token.GetInt32())] : null;

    /// <summary>A number as a logarithm of a probability: engines write a lowest float, or nothing, for zero.</summary>
    public static float LogProbOf(JsonElement value) => value.ValueKind == JsonValueKind.Number ? (float)Math.Clamp(value.GetDouble(), -9999, 0) : -9999;
}
