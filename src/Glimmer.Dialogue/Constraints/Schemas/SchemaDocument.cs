using System.Text.Json;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>
/// A schema document (draft 2020-12) read node by node, as the nodes are asked for. References lead inside the document only:
/// nothing is ever fetched.
/// </summary>
internal sealed class SchemaDocument
{
    /// <summary>Longest schema, in characters of JSON.</summary>
    public const int MaxLength = 1_000_000;

    /// <summary>Most schemas that one document may hold or give rise to.</summary>
    public const int MaxNodes = 20_000;

    /// <summary>Deepest nesting of schemas.</summary>
    public const int MaxDepth = 128;

    private readonly Dictionary<string, SchemaNode> _byPointer = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SchemaNode> _derived = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _anchors = new(StringComparer.Ordinal);
    private readonly string? _id;
    private int _nodes;
    private int _depth;

    public SchemaDocument(JsonElement root)
    {
        if (root.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False))
            throw new JsonSchemaException("", "A schema must be an object, true or false");
        root = LoneSurrogates.Replace(root);
        if (root.GetRawText().Length > MaxLength)
            throw new JsonSchemaException("", $"A schema must not be longer than {MaxLength} characters");
        Root = root;
        if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("$id", out JsonElement id) && id.ValueKind == JsonValueKind.String)
            _id = id.GetString()!.TrimEnd('#');
        FindAnchors(root, "", 0);
    }

    public JsonElement Root { get; }

    public SchemaNode RootNode => At("", Root);

    /// <summary>The node of an element of the document.</summary>
    public SchemaNode At(string pointer, JsonElement element)
    {
        if (_byPointer.TryGetValue(pointer, out SchemaNode? known))
            return known;
        SchemaNode node = New(pointer, element, derived: false);
        _byPointer.Add(pointer, node);
        Read(node);
        return node;
    }

    /// <summary>A node for a schema that follows from the document without being written in it.</summary>
    public SchemaNode Derive(string pointer, string json)
    {
        if (_derived.TryGetValue(json, out SchemaNode? known))
            return known;
        using JsonDocument document = JsonDocument.Parse(json, new() { MaxDepth = 2 * MaxDepth });
        SchemaNode node = New(pointer, document.RootElement.Clone(), derived: true);
        _derived.Add(json, node);
        Read(node);
        return node;
    }

    /// <summary>The node that a reference names.</summary>
    public SchemaNode Resolve(string reference, string pointer)
    {
        string target = reference;
        if (_id is not null && target.StartsWith(_id, StringComparison.Ordinal) && (target.Length == _id.Length || target[_id.Length] == '#'))
            target = target.Length == _id.Length ? "#" : target[_id.Length..];
        if (target.Length == 0 || target[0] != '#')
            throw new JsonSchemaException(pointer, $"The reference '{reference}' leaves the document; only references that begin with '#' are followed");
        string fragment = Uri.UnescapeDataString(target[1..]);
        if (fragment.Length > 0 && fragment[0] != '/' && !_anchors.TryGetValue(fragment, out fragment!))
            throw new JsonSchemaException(pointer, $"The reference '{reference}' names an anchor that is not there");
        if (!JsonPointer.TryFollow(Root, fragment, out JsonElement element))
            throw new JsonSchemaException(pointer, $"The reference '{reference}' leads nowhere");
        return At(fragment, element);
    }

    private SchemaNode New(string pointer, JsonElement element, bool derived)
    {
        if (element.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False))
            throw new JsonSchemaException(pointer, "A schema must be an object, true or false");
        if (++_nodes > MaxNodes)
            throw new JsonSchemaException(pointer, $"A schema must not give rise to more than {MaxNodes} schemas");
        return new SchemaNode { Id = _nodes, Element = element, Pointer = pointer, IsDerived = derived };
    }

    private void Read(SchemaNode node)
    {
        if (node.Element.ValueKind != JsonValueKind.Object)
            return;
        if (++_depth > MaxDepth)
            throw new JsonSchemaException(node.Pointer, $"Schemas must not nest deeper than {MaxDepth}");
        new SchemaReader(this, node).Read();
        _depth--;
    }

    private void FindAnchors(JsonElement element, string pointer, int depth)
    {
        if (depth > 2 * MaxDepth)
            throw new JsonSchemaException(pointer, $"A schema must not nest deeper than {2 * MaxDepth}");
        if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in element.EnumerateObject())
            {
                if (property.Name == "$anchor" && property.Value.ValueKind == JsonValueKind.String)
                    _anchors.TryAdd(property.Value.GetString()!, pointer);
                if (property.Name is not ("enum" or "const" or "default" or "examples"))
                    FindAnchors(property.Value, JsonPointer.Append(pointer, property.Name), depth + 1);
            }
        }
        else if (element.ValueKind == JsonValueKind.Array)
        {
            int index = 0;
            foreach (JsonElement item in element.EnumerateArray())
                FindAnchors(item, JsonPointer.Append(pointer, index++), depth + 1);
        }
    }
}
