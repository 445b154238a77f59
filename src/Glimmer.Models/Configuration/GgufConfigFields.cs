using Glimmer.Models.Weights;

namespace Glimmer.Models.Configuration;

/// <summary>The metadata of a GGUF file as configuration fields.</summary>
internal sealed class GgufConfigFields(GgufMetadata metadata) : ConfigFields(metadata.Location, "")
{
    private const int MaxListItems = 1 << 16;

    /// <inheritdoc/>
    protected override bool TryRead(string key, out object value)
    {
        value = "";
        switch (metadata.TypeOf(key))
        {
            case null:
                return false;
            case GgufValueType.String:
                value = metadata.GetString(key);
                return true;
            case GgufValueType.Bool:
                value = metadata.GetBoolean(key);
                return true;
            case GgufValueType.Float32 or GgufValueType.Float64:
                value = (double)metadata.GetSingle(key);
                return true;
            case GgufValueType.Array:
                value = List(key);
                return true;
            default:
                value = metadata.GetInt64(key);
                return true;
        }
    }

    private object[] List(string key)
    {
        int count = metadata.CountOf(key);
        if (count > MaxListItems)
            throw new ModelFileException(File, $"\"{key}\" has {count} items; at most {MaxListItems} are allowed.");
        return metadata.Locate(key).Value.ElementType switch
        {
            GgufValueType.Bool => [.. metadata.GetBooleans(key).Cast<object>()],
            GgufValueType.String => [.. metadata.GetStrings(key)],
            GgufValueType.Float32 or GgufValueType.Float64 => [.. metadata.GetSingles(key).Select(number => (object)(double)number)],
            _ => [.. metadata.GetInt32s(key).Select(number => (object)(long)number)],
        };
    }
}
