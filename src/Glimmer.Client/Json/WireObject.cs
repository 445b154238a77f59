using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary>An object of the wire that keeps the fields which this library does not name.</summary>
public abstract record WireObject
{
    private JsonObject? _extra;
    private Dictionary<string, JsonElement>? _rest;

    /// <summary>Fields that this library does not name: in a request written as they are, in an answer kept as they came; null for none.</summary>
    [JsonIgnore]
    public JsonObject? Extra
    {
        get
        {
            if (_extra is null && _rest is { Count: > 0 })
                _extra = new JsonObject(_rest.Select(static member => KeyValuePair.Create(member.Key, JsonNode.Parse(member.Value.GetRawText()))));
            return _extra;
        }
        set => (_extra, _rest) = (value, null);
    }

    /// <summary>The same for the serializer, which reads into a dictionary and cannot write a node here.</summary>
    [JsonExtensionData]
    [JsonInclude]
    [JsonPropertyName("x_rest")]
    internal Dictionary<string, JsonElement>? Rest
    {
        get => _extra?.ToDictionary(static member => member.Key, static member => ToElement(member.Value), StringComparer.Ordinal) ?? _rest;
        set => _rest = value;
    }

    private static JsonElement ToElement(JsonNode? node)
    {
        using JsonDocument document = JsonDocument.Parse(node?.ToJsonString() ?? "null");
        return document.RootElement.Clone();
    }
}
