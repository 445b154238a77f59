namespace Glimmer.Dialogue.Constraints;

/// <summary>The constraints made last, by kind, preamble and source text; the one unused longest makes room.</summary>
internal sealed class ConstraintCache(int capacity)
{
    private readonly Dictionary<(string Kind, AnswerPreamble Preamble, string Source), LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _order = new();
    private readonly Lock _gate = new();

    public SchemaCompilation GetOrAdd((string Kind, AnswerPreamble Preamble, string Source) key, Func<SchemaCompilation> make)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(key, out LinkedListNode<Entry>? known))
            {
                _order.Remove(known);
                _order.AddFirst(known);
                return known.Value.Result;
            }
        }

        // Compiled outside the lock: two requests may do the same work once, but none waits for another's schema.
        SchemaCompilation made = make();
        lock (_gate)
        {
            if (_entries.TryGetValue(key, out LinkedListNode<Entry>? known))
                return known.Value.Result;
            _entries.Add(key, _order.AddFirst(new Entry(key, made)));
            if (_entries.Count > capacity)
            {
                _entries.Remove(_order.Last!.Value.Key);
                _order.RemoveLast();
            }
        }

        return made;
    }

    private sealed record Entry((string Kind, AnswerPreamble Preamble, string Source) Key, SchemaCompilation Result);
}
