namespace Glimmer.Server.Messages;

/// <summary>A name in which <c>*</c> stands for any characters, none included; letters match in either case.</summary>
internal sealed class NamePattern
{
    private readonly string[] _parts;

    /// <summary>From its text.</summary>
    public NamePattern(string pattern) => _parts = pattern.Split('*');

    /// <summary>Whether it describes all of a name. Parts are found from the left, the first place first: a later one could only leave less for those behind.</summary>
    public bool Matches(ReadOnlySpan<char> name)
    {
        if (_parts.Length == 1)
            return name.Equals(_parts[0], StringComparison.OrdinalIgnoreCase);
        if (!name.StartsWith(_parts[0], StringComparison.OrdinalIgnoreCase))
            return false;
        ReadOnlySpan<char> rest = name[_parts[0].Length..];
        for (int i = 1; i < _parts.Length - 1; i++)
        {
            int at = rest.IndexOf(_parts[i], StringComparison.OrdinalIgnoreCase);
            if (at < 0)
                return false;
            rest = rest[(at + _parts[i].Length)..];
        }

        return rest.EndsWith(_parts[^1], StringComparison.OrdinalIgnoreCase);
    }
}
