using Glimmer.Engine;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>A loaded model as its host sees it.</summary>
internal interface IHostedBackend : IAsyncDisposable
{
    /// <summary>Begins an answer.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="ended">Called once when the answer needs the model no more, on any thread; never when there is no answer.</param>
    ChatStart Start(ChatRequest request, Action ended);

    /// <summary>Tokens of the prompt.</summary>
    /// <exception cref="ChatRequestException">The request can't be rendered.</exception>
    int CountTokens(ChatRequest request);

    /// <summary>What its engine does; null when it has none.</summary>
    EngineStatistics? EngineStatistics => null;

    /// <summary>Looks at the files behind the weights, without touching the weights.</summary>
    WeightFileState CheckFiles();

    /// <summary>Lets running answers finish within the grace and ends the rest.</summary>
    Task StopAsync(TimeSpan grace);
}

/// <summary>Brings models into memory.</summary>
internal interface IModelLoader
{
    /// <summary>What the model will need, found without reading its weights.</summary>
    ModelNeed Plan(HostedModel model);

    /// <summary>Loads it. Both may throw whatever is wrong with the files; the host tells it.</summary>
    IHostedBackend Load(HostedModel model);
}

/// <summary>Memory that a model needs.</summary>
/// <param name="Bytes">All together.</param>
/// <param name="Parts">The parts, for people.</param>
internal readonly record struct ModelNeed(long Bytes, string Parts);
