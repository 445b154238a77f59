using System.Globalization;

namespace Glimmer.Protocol.Json;

/// <summary>Where a value stands in a request: a chain that becomes text only when an error needs it.</summary>
internal sealed class FieldPath
{
    private readonly FieldPath? _parent;
    private readonly string? _name;
    private readonly int _index;

    private FieldPath(FieldPath? parent, string? name, int index)
    {
        _parent = parent;
        _name = name;
        _index = index;
    }

    public static FieldPath Root { get; } = new(null, "", -1);

    public FieldPath Member(string name) => new(this, name, -1);

    public FieldPath Item(int index) => new(this, null, index);

    /// <summary>Text of the path of a member that has no object of its own yet.</summary>
    public string With(string name)
    {
        string parent = ToString();
        return parent.Length == 0 ? name : $"{parent}.{name}";
    }

    public override string ToString()
    {
        if (_parent is null)
            return "";
        return _name is null
            ? string.Create(CultureInfo.InvariantCulture, $"{_parent}[{_index}]")
            : _parent.With(_name);
    }
}
