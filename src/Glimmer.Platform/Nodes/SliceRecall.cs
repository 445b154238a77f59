namespace Glimmer.Platform.Nodes;

/// <summary>
/// Money that a caller lacks is called back from the nodes that hold some of it. Each of them hears of it with its next message, gives up at
/// once what it does not use, and says so with another. A message may have been under way when the lack was noted, so that the call is
/// through when each of them has spoken three times or holds nothing any more: whatever is lacking then is in use. Neither a clock nor the
/// health of a node is asked; one that is silent keeps the call open until its lease ends. Under the trader's lock, but for
/// <see cref="IsThrough"/>.
/// </summary>
internal sealed class SliceRecall
{
    private const int Messages = 3;
    private Dictionary<long, long>? _since;
    private long _limit;
    private volatile bool _through;

    /// <summary>Whether all who held some have given back what they did not use.</summary>
    public bool IsThrough => _through;

    /// <summary>An answer that there is too little, with those who hold some. When money came in meanwhile, all begins anew.</summary>
    public void Note(IReadOnlyList<SliceHolder> others, long limit)
    {
        if (limit > _limit)
            _since = null;
        _limit = limit;
        _since ??= others.ToDictionary(static holder => holder.Node, static holder => holder.Sequence);

        // Who holds some only now got it when this lack was known: no more than it needed.
        foreach (SliceHolder holder in others)
        {
            if (_since.TryGetValue(holder.Node, out long before) && holder.Sequence < before + Messages)
            {
                _through = false;
                return;
            }
        }

        _through = true;
    }

    /// <summary>Nobody lacks any here.</summary>
    public void End()
    {
        _since = null;
        _through = false;
    }
}
