using System.Text.Json;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>Typed access to the object under <c>quantization_config</c>, with errors that name the key.</summary>
internal sealed class SchemeConfiguration(string location, JsonElement element)
{
    private const long LargestSize = 1 << 24;

    public string Location => location;

    public ModelFileException Fault(string fault) => new(location, $"the quantization_config of config.json {fault}");

    public string? Text(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw Fault($"has '{key}' = {Short(value)} where a string is needed"),
    };

    public bool? Flag(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Fault($"has '{key}' = {Short(value)} where true or false is needed"),
    };

    public int? Bits(string key) => (int?)Size(key, 64);

    /// <summary>Inputs that share a scale; null when the key is missing or −1, which mean all of them.</summary>
    public long? GroupSize(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            if (Find(key) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out long size) && size == -1)
                return null;
            if (Size(key, LargestSize) is { } found)
                return found;
        }

        return null;
    }

    /// <summary>Two sizes, e.g. <c>[128, 128]</c>.</summary>
    public (long Rows, long Columns)? Block(string key)
    {
        if (Find(key) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != 2
            || value[0].ValueKind != JsonValueKind.Number || !value[0].TryGetInt64(out long rows)
            || value[1].ValueKind != JsonValueKind.Number || !value[1].TryGetInt64(out long columns)
            || rows is < 1 or > LargestSize || columns is < 1 or > LargestSize)
            throw Fault($"has '{key}' = {Short(value)} where two sizes such as [128, 128] are needed");
        return (rows, columns);
    }

    /// <summary>The <c>weights</c> objects of all <c>config_groups</c> (compressed-tensors).</summary>
    public IReadOnlyList<SchemeConfiguration> WeightGroups()
    {
        if (Find("config_groups") is not { } groups)
            return [];
        if (groups.ValueKind != JsonValueKind.Object)
            throw Fault("has 'config_groups' that is no object");
        List<SchemeConfiguration> found = [];
        foreach (JsonProperty group in groups.EnumerateObject())
        {
            if (group.Value.ValueKind == JsonValueKind.Object && group.Value.TryGetProperty("weights", out JsonElement weights) && weights.ValueKind == JsonValueKind.Object)
                found.Add(new SchemeConfiguration(location, weights));
        }

        return found;
    }

    private long? Size(string key, long largest)
    {
        if (Find(key) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long size) && size >= 1 && size <= largest
            ? size
            : throw Fault($"has '{key}' = {Short(value)}; allowed are 1 to {largest}");
    }

    private JsonElement? Find(string key) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static string Short(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= 60 ? text : string.Concat(text.AsSpan(0, 60), "…");
    }
}
