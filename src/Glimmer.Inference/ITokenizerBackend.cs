using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Inference;

/// <summary>A backend that can show the vocabulary and the prompt format of its model.</summary>
public interface ITokenizerBackend
{
    /// <summary>Calls a function with both, which stay valid until it returns; loads the model first where it is not loaded.</summary>
    /// <param name="use">What to do with them.</param>
    /// <param name="cancel">Ends the wait for a model that loads.</param>
    /// <exception cref="ChatRequestException">The model can't be loaded.</exception>
    ValueTask<T> UseTokenizerAsync<T>(Func<ITokenizer, Generation, T> use, CancellationToken cancel);

    /// <summary>The same for one of several models.</summary>
    /// <param name="code">Its code.</param>
    /// <param name="use">What to do with them.</param>
    /// <param name="cancel">Ends the wait for a model that loads.</param>
    /// <exception cref="ChatRequestException">The model can't be loaded, or there is none of this code.</exception>
    ValueTask<T> UseTokenizerAsync<T>(string code, Func<ITokenizer, Generation, T> use, CancellationToken cancel) => UseTokenizerAsync(use, cancel);
}
