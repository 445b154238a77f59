using Glimmer.Inference.Backends;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Relay;

/// <summary>Makes backends of services that are asked by their own chat endpoint: the platform's, OpenAI's or Anthropic's form, and raw kinds in chat mode.</summary>
public static class RelayBackends
{
    /// <summary>Makes a backend for the chat models of a definition.</summary>
    /// <param name="definition">What to speak to. A raw kind is asked by its chat endpoint, whether or not <see cref="BackendDefinition.ChatMode"/> is set.</param>
    /// <param name="time">Clock of timeouts.</param>
    /// <param name="logging">Hears of refusals, of streams that broke and of counts that were estimated; never of texts or keys.</param>
    /// <exception cref="ArgumentException">The address, the key or a header of the definition can't be used.</exception>
    public static IRemoteBackend Create(BackendDefinition definition, TimeProvider time, ILoggerFactory logging) =>
        new RelayChatBackend(definition, time, logging.CreateLogger<RelayChatBackend>());

    /// <summary>Makes a backend for each embedding model of a definition.</summary>
    /// <inheritdoc cref="Create" path="/param"/>
    /// <exception cref="ArgumentException">The address, the key or a header of the definition can't be used, or it is Anthropic's, which makes no embeddings.</exception>
    public static IReadOnlyList<RelayEmbeddingBackend> CreateEmbeddings(BackendDefinition definition, TimeProvider time, ILoggerFactory logging) =>
        [.. definition.Models.Where(static model => model.Kind == BackendModelKind.Embedding).Select(model => new RelayEmbeddingBackend(definition, model, time, logging.CreateLogger<RelayEmbeddingBackend>()))];
}
