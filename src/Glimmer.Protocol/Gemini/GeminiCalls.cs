using System.Globalization;

namespace Glimmer.Protocol.Gemini;

/// <summary>Calls of a conversation that have no result yet. Ids are optional there, and may come twice.</summary>
internal sealed class GeminiCalls
{
    private readonly List<(string Id, bool Answered)> _calls = [];
    private readonly Dictionary<string, Queue<int>> _byId = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Queue<int>> _byName = new(StringComparer.Ordinal);

    /// <summary>Adds a call.</summary>
    /// <returns>Its id, a new one when it has none.</returns>
    public string Add(string? id, string name)
    {
        int index = _calls.Count;
        if (id is not { Length: > 0 })
            id = string.Create(CultureInfo.InvariantCulture, $"call_{index}");
        _calls.Add((id, false));
        Enqueue(_byId, id, index);
        Enqueue(_byName, name, index);
        return id;
    }

    /// <summary>The id of the call that a result answers: of its id, else the first of its name; null when there is none.</summary>
    public string? Take(string? id, string? name)
    {
        int index = Dequeue(_byId, id);
        if (index < 0)
            index = Dequeue(_byName, name);
        if (index < 0)
            return null;
        string taken = _calls[index].Id;
        _calls[index] = (taken, true);
        return taken;
    }

    private static void Enqueue(Dictionary<string, Queue<int>> queues, string key, int index)
    {
        if (!queues.TryGetValue(key, out Queue<int>? queue))
            queues[key] = queue = new Queue<int>();
        queue.Enqueue(index);
    }

    private int Dequeue(Dictionary<string, Queue<int>> queues, string? key)
    {
        if (key is not { Length: > 0 } || !queues.TryGetValue(key, out Queue<int>? queue))
            return -1;
        while (queue.TryDequeue(out int index))
        {
            if (!_calls[index].Answered)
                return index;
        }

        return -1;
    }
}
