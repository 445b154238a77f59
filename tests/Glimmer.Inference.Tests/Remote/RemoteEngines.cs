using Glimmer.Dialogue.Output;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Remote;
using Glimmer.Inference.Tests.Embedded.Hosting;
using Glimmer.Inference.Tests.Remote.Fakes;
using Glimmer.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Inference.Tests.Remote;

/// <summary>Fakes of every engine and form, and backends that ask them.</summary>
internal static class RemoteEngines
{
    public static TheoryData<string> All => ["vllm", "vllm-many", "vllm-0.9", "vllm-unversioned", "sglang", "sglang-incremental", "sglang-trimmed", "llama"];

    public static TheoryData<string> Kinds => ["vllm", "sglang", "llama"];

    public static async Task<FakeEngine> StartAsync(string name)
    {
        FakeEngine engine = name switch
        {
            "vllm" => new FakeVllm(),
            "vllm-many" => new FakeVllm { PerEvent = 3 },
            "vllm-0.9" => new FakeVllm { Version = "0.9.2" },
            "vllm-unversioned" => new FakeVllm { Version = null },
            "sglang" => new FakeSGLang(),
            "sglang-incremental" => new FakeSGLang { Incremental = true },
            "sglang-trimmed" => new FakeSGLang { TrimsStop = true },
            "llama" => new FakeLlamaServer(),
            _ => throw new ArgumentException(name),
        };
        await engine.StartAsync();
        return engine;
    }

    public static BackendDefinition Definition(FakeEngine engine) => new()
    {
        Name = "fake",
        Kind = engine switch { FakeVllm => BackendKind.Vllm, FakeSGLang => BackendKind.SGLang, _ => BackendKind.LlamaServer },
        Url = engine.Url,
        ConnectTimeout = TimeSpan.FromMinutes(5),
        Models = [new BackendModel { Code = "glimmer-tiny", Tokenizer = Fixtures.BundledModel }],
    };

    /// <summary>A backend that asks an engine. Its clock stands still unless a test gives another: no limit of time ends what the machine is slow at.</summary>
    public static IRemoteBackend Backend(FakeEngine engine, Func<BackendDefinition, BackendDefinition>? change = null, TimeProvider? time = null)
    {
        BackendDefinition definition = Definition(engine);
        return RawBackends.Create(change?.Invoke(definition) ?? definition, time ?? new ManualTime(), NullLoggerFactory.Instance);
    }

    public static async Task<(MessageBuilder Message, IChatAnswer Answer)> AskAsync(IChatBackend backend, ChatRequest request, CancellationToken cancel = default)
    {
        ChatStart start = await backend.StartAsync(request, CancellationToken.None);
        Assert.Null(start.Error);
        MessageBuilder message = new();
        await foreach (ChatEvent said in start.Answer!.ReadAsync(cancel))
            message.Add(said);
        return (message, start.Answer);
    }
}
