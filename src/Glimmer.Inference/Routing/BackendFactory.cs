using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Inference.Remote;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Routing;

/// <summary>Makes backends from their definitions: the one place that tells kinds apart.</summary>
/// <param name="time">Clock of their timeouts.</param>
/// <param name="logs">Where their lines go.</param>
public sealed class BackendFactory(TimeProvider time, ILoggerFactory logs)
{
    /// <summary>Whether a backend is sent tokens; otherwise it is sent messages.</summary>
    public static bool IsRaw(BackendDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return definition is { Kind: BackendKind.Vllm or BackendKind.SGLang or BackendKind.LlamaServer, ChatMode: false } && definition.Models.Any(static model => model.Kind == BackendModelKind.Chat);
    }

    /// <summary>Makes the backend of a definition's chat models; of none where it has embeddings alone, and then it only answers probes.</summary>
    /// <exception cref="ArgumentException">The definition cannot be used.</exception>
    public IChatBackend Create(BackendDefinition definition) => IsRaw(definition)
        ? RawBackends.Create(definition with { Models = [.. definition.Models.Where(static model => model.Kind == BackendModelKind.Chat)] }, time, logs)
        : RelayBackends.Create(definition, time, logs);

    /// <summary>Makes the backends of a definition's embedding models.</summary>
    /// <exception cref="ArgumentException">The definition cannot be used.</exception>
    public IReadOnlyList<IEmbeddingBackend> CreateEmbeddings(BackendDefinition definition) => RelayBackends.CreateEmbeddings(definition, time, logs);
}
