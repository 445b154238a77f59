using System.Globalization;
using System.Text.Json;

namespace Glimmer.Inference.Remote;

/// <summary>Members that several engines share.</summary>
internal static class JsonWriting
{
    /// <summary>An array of ids.</summary>
    public static void WriteTokens(this Utf8JsonWriter json, string name, IEnumerable<int> tokens)
    {
        json.WriteStartArray(name);
        foreach (int token in tokens)
            json.WriteNumberValue(token);
        json.WriteEndArray();
    }

    /// <summary><c>logit_bias</c> as an object by id; nothing when there is none.</summary>
    public static void WriteBias(this Utf8JsonWriter json, IReadOnlyDictionary<int, float>? bias)
    {
        if (bias is null || bias.Count == 0)
            return;
        json.WriteStartObject("logit_bias");
        foreach ((int token, float value) in bias)
            json.WriteNumber(token.ToString(CultureInfo.InvariantCulture), value);
        json.WriteEndObject();
    }
}
