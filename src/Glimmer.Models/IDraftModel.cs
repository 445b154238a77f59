using Glimmer.Kernels;
using Glimmer.Models.Memory;

namespace Glimmer.Models;

/// <summary>
/// A multi-token-prediction layer: guesses the token after the next one, from the trunk's state and the next token. It
/// keeps its cache rows in planes of its own in the trunk's layout, so that one sequence has one list of pages.
/// </summary>
public interface IDraftModel
{
    /// <summary>Numbers per state, the trunk's hidden size.</summary>
    int HiddenSize { get; }

    /// <summary>
    /// Runs the layer. In a chunk at position p, token i is the sequence's token at position p+i+1, and state i (given
    /// when the chunk was added) is the trunk's state after the final norm at position p+i, or, when drafting on from a
    /// draft, the state this layer gave for position p+i−1. Writes the layer's cache rows p … p+n−1; logits of row i are for position p+i+2. With
    /// <see cref="ForwardBatch.KeepHidden"/> it keeps its own states, to draft further.
    /// </summary>
    /// <remarks>
    /// Rows 0 … p−1 must have been run before, from the trunk's states; after drafting several tokens the rows of drafts
    /// are overwritten by running the accepted positions again from the trunk's states.
    /// </remarks>
    void Forward(ForwardBatch batch, KvArena arena, ThreadTeam team);
}
