using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Glimmer.Server.Responses;

/// <summary>The background responses that this node makes and whose events can be read, and how many read.</summary>
internal sealed class LiveResponses
{
    /// <summary>Most streams of background responses that an account may read at a time on one node.</summary>
    public const int MaxReaders = 100;

    private readonly ConcurrentDictionary<string, LiveResponse> _responses = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly Dictionary<long, int> _readers = [];
    private TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when this node has begun to make some response.</summary>
    public Task Begun
    {
        get
        {
            lock (_gate)
                return _begun.Task;
        }
    }

    /// <summary>The response of this id; null when this node does not make it.</summary>
    public LiveResponse? Find(string id) => _responses.GetValueOrDefault(id);

    /// <summary>Adds one.</summary>
    public void Add(LiveResponse response)
    {
        _responses[response.Id] = response;
        lock (_gate)
        {
            _begun.TrySetResult();
            _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Removes one, unless another run of the same response has taken its place.</summary>
    public void Remove(LiveResponse response) => _responses.TryRemove(new KeyValuePair<string, LiveResponse>(response.Id, response));

    /// <summary>Takes a place for a reader; false when the account has as many as it may.</summary>
    public bool TryEnter(long account)
    {
        lock (_gate)
        {
            ref int readers = ref CollectionsMarshal.GetValueRefOrAddDefault(_readers, account, out _);
            if (readers >= MaxReaders)
                return false;
            readers++;
            return true;
        }
    }

    /// <summary>Gives a place back.</summary>
    public void Leave(long account)
    {
        lock (_gate)
        {
            if (--CollectionsMarshal.GetValueRefOrAddDefault(_readers, account, out _) == 0)
                _readers.Remove(account);
        }
    }
}
