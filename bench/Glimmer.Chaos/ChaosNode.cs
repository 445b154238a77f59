using System.Globalization;
using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Platform.Admission;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Chaos;

/// <summary>One node of the platform as <c>glimmer serve</c> runs it, with a model that repeats the last words it hears.</summary>
internal static class ChaosNode
{
    /// <summary>Code of the model.</summary>
    public const string Model = "glm-4.7";

    public static GlimmerOptions Options(string data, string connection, int port) => new()
    {
        Port = port,
        DataFolder = data,
        StoreConnectionString = connection,
        BillingMode = BillingMode.Metered,
        StoreAwayAmount = 1_000_000,
        TaskLease = TimeSpan.FromSeconds(4),
        DrainTime = TimeSpan.FromSeconds(2),
        LogLevel = LogLevel.Warning,
    };

    public static async Task RunAsync(string data, string connection, int port)
    {
        var slot = new ChatBackendSlot();
        slot.Fill([new EchoBackend()], standIn: null);
        try
        {
            await using GlimmerServer server = await GlimmerServer.CreateWhenReadyAsync(Options(data, connection, port), slot);
            await server.StartAsync();
            await server.WaitForShutdownAsync();
        }
        catch (GlimmerStartupException fault) when (fault.ExitCode == 0)
        {
            // Told to stop before it was ready.
        }
    }

    /// <summary>
    /// Says what the last message says, word by word, in 20 to 300 milliseconds. A message ends in a number, and the answer has as
    /// many prompt tokens: so the books say by themselves which request each of their rows is.
    /// </summary>
    private sealed class EchoBackend : IChatBackend
    {
        public string Name => "echo";

        public IReadOnlyList<string> Models => [Model];

        public bool IsReady => true;

        public ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel) => new(new ChatStart(new EchoAnswer(WordsOf(request)), null));

        public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel) => new(NumberOf(WordsOf(request)));

        public static int NumberOf(string[] words) => int.Parse(words[^1].AsSpan(words[^1].LastIndexOf('-') + 1), CultureInfo.InvariantCulture);

        private static string[] WordsOf(ChatRequest request) => string.Concat(request.Conversation.Messages[^1].Content.OfType<TextPart>().Select(static part => part.Text)).Split(' ');
    }

    private sealed class EchoAnswer(string[] words) : IChatAnswer
    {
        private int _said;

        public FinishReason Finish { get; private set; } = FinishReason.Stop;

        public ChatUsage Usage => new(EchoBackend.NumberOf(words), 0, _said, 0);

        public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
        {
            for (int i = 0; i < words.Length; i++)
            {
                try
                {
                    await Task.Delay(Random.Shared.Next(5, 60), cancel);
                }
                catch (OperationCanceledException)
                {
                    Finish = FinishReason.Cancelled;
                    yield break;
                }

                _said++;
                yield return new ChatEvent(ChatEventKind.Content, i == 0 ? words[i] : " " + words[i]);
            }
        }
    }
}
