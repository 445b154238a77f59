using Glimmer.Inference;
using Glimmer.Protocol.Errors;

namespace Glimmer.Cli.Emulator;

/// <summary>A backend of embeddings that is found with its first use.</summary>
/// <param name="model">Code it answers for.</param>
/// <param name="find">Finds it; null when nobody has it any more.</param>
internal sealed class LateEmbeddings(string model, Func<CancellationToken, ValueTask<IEmbeddingBackend?>> find) : IEmbeddingBackend
{
    private volatile int _dimensions;

    public string Name => "live";

    public string Model => model;

    /// <summary>Known after the first answer.</summary>
    public int Dimensions => _dimensions;

    public async Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
    {
        if (await find(cancel) is not { } backend)
            return new EmbeddingOutcome(null, 0, PlatformError.Of(BusinessCode.ModelMissing, model));
        EmbeddingOutcome made = await backend.EmbedAsync(texts, dimensions, cancel);
        _dimensions = backend.Dimensions;
        return made;
    }
}
