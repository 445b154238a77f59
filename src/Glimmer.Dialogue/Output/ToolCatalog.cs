using System.Text.Json;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Dialogue.Output;

/// <summary>The tools offered, by name, with the types of their arguments worked out once per key.</summary>
internal sealed class ToolCatalog
{
    private readonly Dictionary<string, JsonElement?> _parameters = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Tool, string Key), JsonTypes> _types = [];

    public ToolCatalog(IReadOnlyList<ToolDefinition> tools)
    {
        foreach (ToolDefinition tool in tools)
            _parameters[tool.Name] = tool.Parameters;
    }

    /// <summary>Whether tools were offered at all.</summary>
    public bool IsEmpty => _parameters.Count == 0;

    /// <summary>Whether a tool of that name was offered.</summary>
    public bool Offers(string name) => _parameters.ContainsKey(name);

    /// <summary>The longest offered name that the text begins with; null for none.</summary>
    public string? LongestPrefix(ReadOnlySpan<char> text)
    {
        string? longest = null;
        foreach (string name in _parameters.Keys)
        {
            if (name.Length > (longest?.Length ?? 0) && text.StartsWith(name, StringComparison.Ordinal))
                longest = name;
        }

        return longest;
    }

    /// <summary>Whether an offered name begins with the text.</summary>
    public bool MayBecomeName(ReadOnlySpan<char> text)
    {
        foreach (string name in _parameters.Keys)
        {
            if (name.AsSpan().StartsWith(text, StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    /// <summary>The types that an argument may have; any for unknown tools and keys.</summary>
    public JsonTypes TypesOf(string tool, string key)
    {
        if (!_parameters.TryGetValue(tool, out JsonElement? known) || known is not { } parameters)
            return JsonTypes.Any;
        if (!_types.TryGetValue((tool, key), out JsonTypes types))
        {
            types = SchemaTypes.TryGetProperty(parameters, key, out JsonElement schema) ? SchemaTypes.Of(schema, parameters) : JsonTypes.Any;
            // A model can invent any number of keys; what is remembered stays small.
            if (_types.Count < 1024)
                _types.Add((tool, key), types);
        }

        return types;
    }
}
