namespace Glimmer.Platform.Nodes;

/// <summary>Where nodes meet: the registry of nodes and the sums of limits. Each call is one transaction.</summary>
internal interface ISliceStore
{
    /// <summary>
    /// Registers a node with a running lease. When no other lives and the process has just started, it owns every limit whole, and what is
    /// left of dead ones is gone: its memory comes from the books.
    /// </summary>
    /// <param name="settings">What the node is.</param>
    /// <param name="again">Whether the process had a lease before, which ended: others may be in the same place, so nobody owns anything whole.</param>
    NodeLeaseRow Register(SliceSettings settings, bool again);

    /// <summary>Takes a message. When it throws, nobody knows whether it was taken.</summary>
    SliceReply Trade(SliceMessage message);

    /// <summary>Frees what nodes held whose lease has ended, and what has run out.</summary>
    void Maintain();
}
