using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;

namespace Glimmer.Load.Paced;

/// <summary>A backend whose answers are <see cref="PacedTokens"/>: <c>max_tokens</c> of them, at the rate that the end of the question names (<c>rate 50</c>).</summary>
internal sealed class PacedBackend(PacedTokens tokens) : IChatBackend
{
    public string Name => "paced";

    public IReadOnlyList<string> Models { get; } = ["glm-4.7"];

    public bool IsReady => true;

    public ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        string last = request.Conversation.Messages[^1].Content is [.., Glimmer.Dialogue.Conversations.TextPart text] ? text.Text : "";
        return new(new ChatStart(new Answer(tokens.Open(request.MaxTokens ?? 1, PacedQuestion.RateOf(last))), null));
    }

    public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel) => new(1);

    private sealed class Answer(ChannelReader<string> tokens) : IChatAnswer
    {
        private int _said;

        public FinishReason Finish { get; private set; } = FinishReason.Cancelled;

        public ChatUsage Usage => new(10, 0, _said, 0);

        public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
        {
            while (await tokens.WaitToReadAsync(cancel))
            {
                while (tokens.TryRead(out string? token))
                {
                    _said++;
                    yield return new ChatEvent(ChatEventKind.Content, token);
                }
            }

            Finish = FinishReason.Stop;
        }
    }
}
