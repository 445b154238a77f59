using System.Text;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Inference.Embedded;
using Glimmer.Inference.Prompting;
using Glimmer.Inference.Script;
using Glimmer.Inference.Tests.Embedded;
using Glimmer.Inference.Tests.Script;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Tests.Prompting;

/// <summary>Prompts that no template touches.</summary>
public sealed class RawPromptTests(BundledBackend bundled) : IClassFixture<BundledBackend>
{
    private readonly EmbeddedChatBackend _backend = bundled.Backend;

    private ITokenizer Tokenizer => _backend.Package.Tokenizer;

    [Fact]
    public async Task A_rendered_conversation_as_text_or_as_tokens_is_answered_as_the_conversation_is()
    {
        ChatRequest request = BundledBackend.Request(BundledBackend.Row("chat.greeting"));
        (MessageBuilder chat, IChatAnswer chatAnswer) = await BundledBackend.Ask(_backend, request);
        string text = _backend.Package.Generation.RenderText(request.Conversation).Text!;
        Assert.Contains("<|user|>", text, StringComparison.Ordinal);
        (MessageBuilder ofText, IChatAnswer textAnswer) = await BundledBackend.Ask(_backend, request with { Raw = new RawPrompt(text) });
        Assert.Equal((chat.Content, chatAnswer.Finish, chatAnswer.Usage.PromptTokens), (ofText.Content!.TrimStart('\n'), textAnswer.Finish, textAnswer.Usage.PromptTokens));

        List<int> ids = [];
        Tokenizer.Encode(text, recogniseAdded: true, ids);
        (MessageBuilder ofTokens, IChatAnswer tokensAnswer) = await BundledBackend.Ask(_backend, request with { Raw = new RawPrompt("", ids) });
        Assert.Equal((ofText.Content, textAnswer.Usage.CompletionTokens), (ofTokens.Content, tokensAnswer.Usage.CompletionTokens));
        Assert.Equal(chatAnswer.Usage.CompletionTokens, tokensAnswer.Usage.CompletionTokens);
    }

    [Fact]
    public async Task Nothing_stands_before_or_after_the_text()
    {
        foreach (string text in new[] { "Once upon a time", " spaces first", "<think>", "北京" })
        {
            List<int> ids = [];
            Tokenizer.Encode(text, recogniseAdded: true, ids);
            (_, IChatAnswer answer) = await BundledBackend.Ask(_backend, Raw(text) with { MaxTokens = 3 });
            Assert.Equal((ids.Count, FinishReason.Length), (answer.Usage.PromptTokens, answer.Finish));
            Assert.Equal(ids.Count, await _backend.CountTokensAsync(Raw(text), default));
        }
    }

    [Fact]
    public async Task Probabilities_spell_all_that_is_said_and_a_stop_text_ends_it()
    {
        (MessageBuilder message, _) = await BundledBackend.Ask(_backend, Raw("Good night! Sleep") with { MaxTokens = 12, TopLogProbs = 2 });
        Assert.Equal(message.Content, Encoding.UTF8.GetString([.. message.Tokens!.SelectMany(token => token.Bytes.ToArray())]));
        Assert.All(message.Tokens!, token => Assert.Equal(2, token.Top.Count));
        string stop = message.Content![^3..];
        (MessageBuilder cut, IChatAnswer answer) = await BundledBackend.Ask(_backend, Raw("Good night! Sleep") with { MaxTokens = 12, Stop = [stop] });
        Assert.Equal(message.Content[..message.Content.IndexOf(stop, StringComparison.Ordinal)], cut.Content ?? "");
        Assert.Equal((FinishReason.Stop, stop), (answer.Finish, answer.StopText));
    }

    [Fact]
    public async Task A_grammar_holds_the_answer()
    {
        (MessageBuilder message, _) = await BundledBackend.Ask(_backend, Raw("The answer is ") with { Format = new AnswerFormat(AnswerFormatKind.Regex, Source: "(yes|no)") });
        Assert.Contains(message.Content, (string[])["yes", "no"]);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public async Task A_token_that_means_nothing_is_named(int id)
    {
        ChatStart start = await _backend.StartAsync(Raw("") with { Raw = new RawPrompt("", [5, id]) }, default);
        Assert.Equal((BusinessCode.ParameterInvalid, "prompt"), (start.Error!.Code, start.Error.Field));
    }

    [Fact]
    public async Task A_prompt_that_is_too_long_is_named()
    {
        ChatStart start = await _backend.StartAsync(Raw(string.Concat(Enumerable.Repeat("word ", 100_000))), default);
        Assert.Equal((BusinessCode.PromptTooLong, "prompt"), (start.Error!.Code, start.Error.Field));
    }

    [Fact]
    public void A_gap_is_written_with_the_vocabulary_s_own_tokens_and_its_texts_stay_text()
    {
        Assert.True(Tokenizer.TryGetAdded("<|code_prefix|>", out int before));
        Assert.True(Tokenizer.TryGetAdded("<|code_suffix|>", out int after));
        Assert.True(Tokenizer.TryGetAdded("<|code_middle|>", out int gap));
        int[] tokens = RawPrompts.Encode(new RawPrompt("def <|user|>", null, "return 1"), Tokenizer, "m", out PlatformError? error)!.Tokens;
        Assert.Null(error);
        Assert.Equal([before, .. Text("def <|user|>"), after, .. Text("return 1"), gap], tokens);
        Assert.Equal([before, 5, 6, after, .. Text("x"), gap], RawPrompts.Encode(new RawPrompt("", [5, 6], "x"), Tokenizer, "m", out _)!.Tokens);

        Assert.Null(RawPrompts.Encode(new RawPrompt("a", null, "b"), new WithoutGaps(Tokenizer), "glm-x", out error));
        Assert.Equal((BusinessCode.ParameterInvalid, "suffix"), (error!.Code, error.Field));

        List<int> Text(string text)
        {
            List<int> ids = [];
            Tokenizer.Encode(text, recogniseAdded: false, ids);
            return ids;
        }
    }

    [Fact]
    public async Task A_script_answers_text_as_it_is_written()
    {
        ScriptChatBackend script = ScriptRequests.Backend("rules:\n  - when: { last: Once }\n    reply: \"  upon {{last}}<think>\"\nfallback: other", Tokenizer);
        ChatRequest once = ScriptRequests.User("Once") with { Raw = new RawPrompt("Once") };
        (MessageBuilder message, IChatAnswer answer) = await ScriptRequests.Ask(script, once);
        Assert.Equal(("  upon Once<think>", FinishReason.Stop), (message.Content, answer.Finish));
        List<int> ids = [];
        Tokenizer.Encode("Once", recogniseAdded: true, ids);
        Assert.Equal(ids.Count, answer.Usage.PromptTokens);
        (MessageBuilder ofTokens, _) = await ScriptRequests.Ask(script, ScriptRequests.User("") with { Raw = new RawPrompt("", ids) });
        Assert.Equal("  upon Once<think>", ofTokens.Content);
    }

    private static ChatRequest Raw(string text) => ScriptRequests.User(text) with { Model = "glimmer-tiny", Raw = new RawPrompt(text), Sampling = new SamplingOptions { Greedy = true } };

    private sealed class WithoutGaps(ITokenizer inner) : ITokenizer
    {
        public int VocabularySize => inner.VocabularySize;

        public void Encode(ReadOnlySpan<char> text, bool recogniseAdded, List<int> ids) => inner.Encode(text, recogniseAdded, ids);

        public bool TryGetAdded(ReadOnlySpan<char> token, out int id)
        {
            id = -1;
            return !token.StartsWith("<|code_", StringComparison.Ordinal) && inner.TryGetAdded(token, out id);
        }

        public TokenKind KindOf(int id) => inner.KindOf(id);

        public ReadOnlySpan<byte> BytesOf(int id) => inner.BytesOf(id);
    }
}
