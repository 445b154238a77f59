using Glimmer.Inference.Backends;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Remote;

/// <summary>Makes backends of engines that are given tokens: vLLM, SGLang and llama-server.</summary>
public static class RawBackends
{
    /// <summary>A backend that has not been asked anything yet.</summary>
    /// <param name="definition">Where it is and what it has; of a raw kind and not in chat mode.</param>
    /// <param name="time">Clock of its time limits.</param>
    /// <param name="logs">Hears of its faults.</param>
    /// <exception cref="ArgumentException">The kind is none of these, chat mode is set, or there is no model.</exception>
    public static IRemoteBackend Create(BackendDefinition definition, TimeProvider time, ILoggerFactory logs)
    {
        if (definition.ChatMode)
            throw new ArgumentException($"The backend {definition.Name} is in chat mode; raw backends are asked for tokens.", nameof(definition));
        IEngineProtocol protocol = definition.Kind switch
        {
            BackendKind.Vllm => new VllmProtocol(),
            BackendKind.SGLang => new SGLangProtocol(),
            BackendKind.LlamaServer => new LlamaServerProtocol(),
            _ => throw new ArgumentException($"The backend {definition.Name} is of the kind {definition.Kind}, which takes no tokens; raw kinds are {BackendKind.Vllm}, {BackendKind.SGLang} and {BackendKind.LlamaServer}.", nameof(definition)),
        };
        return new RemoteChatBackend(definition, protocol, time, logs.CreateLogger("Glimmer.Inference.Remote"));
    }
}
