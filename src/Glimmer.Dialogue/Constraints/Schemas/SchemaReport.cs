namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>Collects what cannot be enforced, each thing once.</summary>
internal sealed class SchemaReport
{
    private readonly List<UnsupportedKeyword> _keywords = [];

    public IReadOnlyList<UnsupportedKeyword> Keywords => _keywords;

    public void Add(UnsupportedKeyword keyword)
    {
        if (!_keywords.Contains(keyword))
            _keywords.Add(keyword);
    }
}
