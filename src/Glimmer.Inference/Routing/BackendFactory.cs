using Glimmer.Inference.Backends;

namespace Glimmer.Inference.Routing;

/// <summary>Makes backends from their definitions: the one place that tells kinds apart.</summary>
/// <param name="raw">Makes those that are sent tokens: vLLM, SGLang and llama-server in raw mode.</param>
/// <param name="relay">Makes those that are sent messages: OpenAI, Anthropic and Z.AI, and the others in chat mode.</param>
public sealed class BackendFactory(Func<BackendDefinition, IChatBackend> raw, Func<BackendDefinition, IChatBackend> relay)
{
    /// <summary>Whether a backend is sent tokens.</summary>
    public static bool IsRaw(BackendDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return definition is { Kind: BackendKind.Vllm or BackendKind.SGLang or BackendKind.LlamaServer, ChatMode: false };
    }

    /// <summary>Makes a backend.</summary>
    public IChatBackend Create(BackendDefinition definition) => IsRaw(definition) ? raw(definition) : relay(definition);
}
