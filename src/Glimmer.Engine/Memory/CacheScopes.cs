namespace Glimmer.Engine.Memory;

/// <summary>The roots of the prefix cache: for every scope that has pages, the first of its list of roots.</summary>
internal sealed class CacheScopes
{
    private const int None = -1;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly Stack<int> _unused = new();
    private string[] _names = [];
    private int[] _first = [];

    /// <summary>Scopes that have pages.</summary>
    public int Count => _ids.Count;

    /// <summary>The name of a scope.</summary>
    public string NameOf(int id) => _names[id];

    /// <summary>A scope's id, or null when it has no pages.</summary>
    public int? Find(string scope) => _ids.TryGetValue(scope, out int id) ? id : null;

    /// <summary>A scope's id; a new one has no pages.</summary>
    public int FindOrAdd(string scope)
    {
        if (_ids.TryGetValue(scope, out int id))
            return id;
        if (!_unused.TryPop(out id))
        {
            id = _ids.Count;
            if (id == _first.Length)
            {
                Array.Resize(ref _first, Math.Max(16, 2 * id));
                Array.Resize(ref _names, _first.Length);
            }
        }

        _first[id] = None;
        _names[id] = scope;
        _ids.Add(scope, id);
        return id;
    }

    /// <summary>The first root of a scope, −1 for none.</summary>
    public ref int First(int id) => ref _first[id];

    /// <summary>Forgets a scope that has no pages any more.</summary>
    public void ForgetIfEmpty(int id)
    {
        if (_first[id] == None && _ids.Remove(_names[id]))
            _unused.Push(id);
    }
}
