using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Tests.Rendering;

public sealed class PromptCacheTests
{
    public static TheoryData<string> Names => [.. Dialogue.Generations.Generations.All.Select(generation => generation.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_growing_conversation_renders_as_if_from_nothing(string name)
    {
        Generation generation = Dialogue.Generations.Generations.ForName(name);
        PromptCache cache = new(Vocabularies.Small, maxTokens: 3000);
        Fuzz.Run(20, random =>
        {
            Conversation history = RandomTalk.History(random, controls: true);
            List<ChatMessage> messages = [.. history.Messages];
            for (int turn = 0; turn < 4; turn++)
            {
                Conversation now = history with { Messages = [.. messages] };
                Assert.Equal(generation.Render(now, Vocabularies.Small).Prompt!.Tokens, generation.Render(now, Vocabularies.Small, cache).Prompt!.Tokens);
                Assert.InRange(cache.HeldTokens, 0, 3000);
                RandomTalk.AddTurn(random, messages, controls: true, open: random.Next(2) == 0);
            }
        });
    }

    [Fact]
    public void A_continued_conversation_costs_its_new_part()
    {
        PromptCache cache = new(Vocabularies.Small, maxTokens: 100_000);
        Generation generation = Dialogue.Generations.Generations.ForName("glm-4.7");
        string Long(int n) => string.Concat(Enumerable.Repeat($"Sentence number {n} of the text. ", 20));
        List<ChatMessage> messages = [ChatMessage.OfText(ChatRole.System, Long(0))];
        long encoded = 0;
        for (int turn = 1; turn < 20; turn++)
        {
            messages.Add(ChatMessage.OfText(ChatRole.User, Long(turn)));
            generation.Render(new([.. messages], [], new()), Vocabularies.Small, cache);
            Assert.Equal(2, cache.Misses - encoded);
            encoded = cache.Misses;
            messages.Add(ChatMessage.OfText(ChatRole.Assistant, Long(-turn)) with { ReasoningContent = Long(1000 + turn) });
        }

        Assert.True(cache.Hits > 300);
    }

    [Fact]
    public void The_least_recently_used_goes_first()
    {
        string Text(char c) => new(c, 100);
        int Cost(char c) => Vocabularies.Small.Encode(Text(c), false).Count + 32;
        PromptCache cache = new(Vocabularies.Small, Cost('a') + Math.Max(Cost('b'), Cost('c')));
        Touch(cache, Text('a'));
        Touch(cache, Text('b'));
        Touch(cache, Text('a'));
        Touch(cache, Text('c'));
        Assert.Equal(3, cache.Misses);
        Touch(cache, Text('a'));
        Assert.Equal(3, cache.Misses);
        Touch(cache, Text('b'));
        Assert.Equal(4, cache.Misses);
    }

    [Fact]
    public void What_is_larger_than_the_cache_is_not_kept()
    {
        PromptCache cache = new(Vocabularies.Small, 10);
        Touch(cache, new string('x', 500));
        Assert.Equal(0, cache.HeldTokens);
    }

    [Fact]
    public void Threads_share_it()
    {
        PromptCache cache = new(Vocabularies.Small, 2000);
        Generation generation = Dialogue.Generations.Generations.ForName("glm-4.7");
        Parallel.For(0, 40, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            Conversation conversation = RandomTalk.History(new Random(i % 10), controls: false);
            Assert.Equal(generation.Render(conversation, Vocabularies.Small).Prompt!.Tokens, generation.Render(conversation, Vocabularies.Small, cache).Prompt!.Tokens);
        });
    }

    [Fact]
    public void It_belongs_to_one_tokenizer()
    {
        PromptCache cache = new(Vocabularies.Small, 100);
        Conversation conversation = new([ChatMessage.OfText(ChatRole.User, "x")], [], new());
        Assert.Throws<ArgumentException>(() => Dialogue.Generations.Generations.ForName("glm-4.7").Render(conversation, Vocabularies.Early, cache));
    }

    private static void Touch(PromptCache cache, string text)
    {
        List<int> ids = [];
        cache.Encode(text, Vocabularies.Small, ids);
        Assert.Equal(Vocabularies.Small.Encode(text, false), ids);
    }
}
