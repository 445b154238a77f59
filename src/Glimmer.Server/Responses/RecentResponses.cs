using Glimmer.Platform.Responses;
using Glimmer.Server.Hosting;

namespace Glimmer.Server.Responses;

/// <summary>
/// Remembers responses of the last while in memory, never on disk, so that a client may go on from one without having asked for it to be kept:
/// clients of OpenAI expect that. Bounded; the oldest go first. Nothing of a request that says <c>"store": false</c> comes here.
/// </summary>
internal sealed class RecentResponses(GlimmerOptions options, TimeProvider time)
{
    /// <summary>Most characters remembered.</summary>
    private const long MaxCharacters = 64 << 20;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, (StoredResponse Response, DateTimeOffset Expires)> _responses = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (long Account, string Json)> _items = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();
    private long _characters;

    /// <summary>Remembers a response.</summary>
    public void Add(StoredResponse response)
    {
        if (options.RememberResponses <= TimeSpan.Zero || SizeOf(response) > MaxCharacters)
            return;
        lock (_gate)
        {
            DateTimeOffset now = time.GetUtcNow();
            _responses[response.Id] = (response, now + options.RememberResponses);
            _order.Enqueue(response.Id);
            _characters += SizeOf(response);
            foreach (StoredItem item in response.Output)
                _items[item.Id] = (response.Account, item.Json);
            while (_order.TryPeek(out string? oldest) && (!_responses.TryGetValue(oldest, out (StoredResponse Response, DateTimeOffset Expires) known) || known.Expires <= now || _characters > MaxCharacters))
            {
                _order.Dequeue();
                Forget(oldest);
            }
        }
    }

    /// <summary>A response of the account; null when none of this id is remembered.</summary>
    public StoredResponse? Find(long account, string id)
    {
        lock (_gate)
            return _responses.TryGetValue(id, out (StoredResponse Response, DateTimeOffset Expires) known) && known.Expires > time.GetUtcNow() && known.Response.Account == account ? known.Response : null;
    }

    /// <summary>An item of the account; null when none of this id is remembered.</summary>
    public string? FindItem(long account, string id)
    {
        lock (_gate)
            return _items.TryGetValue(id, out (long Account, string Json) known) && known.Account == account ? known.Json : null;
    }

    /// <summary>Forgets a response.</summary>
    /// <returns>Whether it was remembered.</returns>
    public bool Remove(long account, string id)
    {
        lock (_gate)
        {
            if (Find(account, id) is null)
                return false;
            Forget(id);
            return true;
        }
    }

    private static long SizeOf(StoredResponse response) => (2L * response.Body.Length) + response.Input.Length + (response.Marks?.Length ?? 0);

    private void Forget(string id)
    {
        if (!_responses.Remove(id, out (StoredResponse Response, DateTimeOffset Expires) known))
            return;
        _characters -= SizeOf(known.Response);
        foreach (StoredItem item in known.Response.Output)
            _items.Remove(item.Id);
    }
}
