using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Embedded;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Embedded;

/// <summary>The bundled model as a backend, loaded once, and requests whose answers are known.</summary>
public sealed class BundledBackend : IAsyncLifetime
{
    private static readonly Lazy<List<JsonElement>> Rows = new(() =>
        [.. File.ReadLines(Fixtures.Path("glimmer-tiny", "tasks.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)]);

    public EmbeddedChatBackend Backend { get; } = Load();

    public static EmbeddedChatBackend Load(int context = 0, Repairs repairs = Repairs.All) => new(
        ModelPackage.Load(Fixtures.BundledModel),
        new EngineOptions { KvBytes = 64 << 20, ContextLength = context, Threads = 2 },
        repairs: repairs);

    /// <summary>A row of the known requests by its kind.</summary>
    public static JsonElement Row(string kind, Func<JsonElement, bool>? where = null) =>
        Rows.Value.First(row => row.GetProperty("kind").GetString() == kind && (where is null || where(row)));

    public static JsonElement RightCall => Rows.Value.First(row =>
        row.GetProperty("right").GetBoolean() && row.GetProperty("want").GetProperty("tool_calls").GetArrayLength() > 0);

    public static ChatRequest Request(JsonElement row)
    {
        Assert.True(ConversationReader.TryRead(row, out Conversation? conversation, out _));
        return new ChatRequest
        {
            Model = "glimmer-tiny",
            Conversation = conversation with { Options = new RenderOptions { EnableThinking = row.GetProperty("thinking").GetBoolean() } },
            Sampling = new SamplingOptions { Greedy = true },
        };
    }

    /// <summary>Starts a request and reads its whole answer.</summary>
    public static async Task<(MessageBuilder Message, IChatAnswer Answer)> Ask(EmbeddedChatBackend backend, ChatRequest request)
    {
        IChatAnswer answer = await Start(backend, request);
        MessageBuilder message = new();
        await foreach (ChatEvent said in answer.ReadAsync(TestContext.Current.CancellationToken))
            message.Add(said);
        return (message, answer);
    }

    public static async Task<IChatAnswer> Start(EmbeddedChatBackend backend, ChatRequest request)
    {
        ChatStart start = await backend.StartAsync(request, CancellationToken.None);
        Assert.Null(start.Error);
        return start.Answer!;
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => Backend.DisposeAsync();
}
