using System.Text.Json;

namespace Glimmer.Dialogue.Constraints.Schemas.Validation;

/// <summary>A place in a document: the schema resource it belongs to, and the element.</summary>
internal readonly record struct SchemaPlace(string Base, JsonElement Element);

/// <summary>The addresses within a schema document: embedded resources, anchors and dynamic anchors.</summary>
internal sealed class SchemaIndex
{
    private const string DefaultBase = "schema:/root";
    private const int MaxDepth = 256;

    private readonly Dictionary<string, JsonElement> _resources = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Base, string Anchor), SchemaPlace> _anchors = [];
    private readonly HashSet<(string Base, string Anchor)> _dynamic = [];

    public SchemaIndex(JsonElement root)
    {
        Root = root;
        RootBase = root.ValueKind == JsonValueKind.Object && IdOf(root) is { } id ? Combine(DefaultBase, id) : DefaultBase;
        _resources[RootBase] = root;
        Scan(root, DefaultBase, 0);
    }

    public JsonElement Root { get; }

    public string RootBase { get; }

    /// <summary>The base address inside a schema: its own when it has one.</summary>
    public static string BaseOf(JsonElement schema, string outer) =>
        IdOf(schema) is { } id ? Combine(outer, id) : outer;

    public bool HasDynamicAnchor(string resource, string anchor) => _dynamic.Contains((resource, anchor));

    public SchemaPlace Anchor(string resource, string anchor) => _anchors[(resource, anchor)];

    /// <summary>The place that a reference names, seen from a base address.</summary>
    /// <exception cref="JsonSchemaException">It leads nowhere in the document.</exception>
    public SchemaPlace Resolve(string reference, string from)
    {
        int hash = reference.IndexOf('#', StringComparison.Ordinal);
        string address = hash < 0 ? reference : reference[..hash];
        string fragment = hash < 0 ? "" : Uri.UnescapeDataString(reference[(hash + 1)..]);
        string resource = address.Length == 0 ? from : Combine(from, address);
        if (!_resources.TryGetValue(resource, out JsonElement root))
            throw new JsonSchemaException("", $"The reference '{reference}' leaves the document");
        if (fragment.Length == 0)
            return new(resource, root);
        if (fragment[0] != '/')
        {
            return _anchors.TryGetValue((resource, fragment), out SchemaPlace place)
                ? place
                : throw new JsonSchemaException("", $"The reference '{reference}' names an anchor that is not there");
        }

        return Follow(root, resource, fragment, reference);
    }

    private static SchemaPlace Follow(JsonElement root, string resource, string pointer, string reference)
    {
        JsonElement at = root;
        foreach (string part in pointer.Split('/').Skip(1))
        {
            string name = part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (at.ValueKind == JsonValueKind.Object && at.TryGetProperty(name, out JsonElement member))
                at = member;
            else if (at.ValueKind == JsonValueKind.Array && int.TryParse(name, out int index) && index >= 0 && index < at.GetArrayLength())
                at = at[index];
            else
                throw new JsonSchemaException("", $"The reference '{reference}' leads nowhere");

            // The address of the target itself is added when it is evaluated; those above it count here.
            if (at.ValueKind == JsonValueKind.Object && !IsLast(pointer, part))
                resource = BaseOf(at, resource);
        }

        return new(resource, at);
    }

    private static bool IsLast(string pointer, string part) => pointer.EndsWith("/" + part, StringComparison.Ordinal);

    private static string? IdOf(JsonElement schema) =>
        schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("$id", out JsonElement id) && id.ValueKind == JsonValueKind.String
            ? id.GetString()!.TrimEnd('#')
            : null;

    private static string Combine(string from, string reference) =>
        Uri.TryCreate(new Uri(from), reference, out Uri? combined) ? combined.ToString() : reference;

    private void Scan(JsonElement element, string from, int depth)
    {
        if (depth > MaxDepth)
            throw new JsonSchemaException("", $"A schema must not nest deeper than {MaxDepth}");
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in element.EnumerateArray())
                Scan(item, from, depth + 1);
        }

        if (element.ValueKind != JsonValueKind.Object)
            return;
        string resource = BaseOf(element, from);
        if (resource != from)
            _resources.TryAdd(resource, element);
        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (property.Name is "$anchor" or "$dynamicAnchor" && property.Value.ValueKind == JsonValueKind.String)
            {
                _anchors.TryAdd((resource, property.Value.GetString()!), new(resource, element));
                if (property.Name == "$dynamicAnchor")
                    _dynamic.Add((resource, property.Value.GetString()!));
            }

            if (property.Name is not ("enum" or "const" or "default" or "examples"))
                Scan(property.Value, resource, depth + 1);
        }
    }
}
