using System.Text;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Tests.Generations;

/// <summary>GLM-ASR and GLM-4-Voice (spec: chat-format.md §3.10, §3.11).</summary>
public sealed class AudioGenerationsTests
{
    private const string Step = " instruction. Do it step by step. First, think about the instruction and respond in a interleaved manner, with 13 text token followed by 26 audio tokens. ";
    private static readonly Generation Asr = Dialogue.Generations.Generations.ForName("glm-asr");
    private static readonly Generation Voice = Dialogue.Generations.Generations.ForName("glm-4-voice");
    private static readonly MediaPart Sound = new(MediaKind.Audio, "s");

    [Theory]
    [InlineData("Please transcribe this audio into text")]
    [InlineData(" \n Please transcribe this audio into text\t")]
    [InlineData("")]
    [InlineData(null)]
    public void A_recording_stands_before_the_wish(string? wish)
    {
        Conversation conversation = Talk(User(wish is null ? [Sound] : [Sound, new TextPart(wish)]));
        Assert.Equal("<|user|>\n<|begin_of_audio|><|end_of_audio|><|user|>\nPlease transcribe this audio into text<|assistant|>\n", Asr.RenderText(conversation).Text);
        RenderedPrompt prompt = Asr.Render(conversation, Vocabularies.Small).Prompt!;
        MediaSlot slot = Assert.Single(prompt.Media);
        Assert.Same(Sound, slot.Part);
        Assert.Equal("<|begin_of_audio|><|end_of_audio|>", Vocabularies.Small.Decode(prompt.Tokens.AsSpan(slot.TokenIndex, 2)));
    }

    [Fact]
    public void Text_without_a_recording_is_as_it_is_and_earlier_turns_stay()
    {
        Conversation conversation = Talk(
            User(Sound), ChatMessage.OfText(ChatRole.Assistant, " so it was "), User(new TextPart(" again\n")), User(new TextPart(" ")));
        Assert.Equal(
            "<|user|>\n<|begin_of_audio|><|end_of_audio|><|user|>\nPlease transcribe this audio into text<|assistant|>\nso it was<|user|>\nagain<|user|>\n<|assistant|>\n",
            Asr.RenderText(conversation).Text);
    }

    [Fact]
    public void Voice_is_told_whether_the_person_speaks_or_writes()
    {
        Assert.Equal($"<|system|>\nUser will provide you with a text{Step}<|user|>\nHi <|assistant|>streaming_transcription\n", Voice.RenderText(Talk(User(new TextPart("Hi ")))).Text);
        Conversation spoken = Talk(User(Sound), ChatMessage.OfText(ChatRole.Assistant, "Yes."), User(new TextPart("More")));
        Assert.Equal(
            $"<|system|>\nUser will provide you with a speech{Step}<|user|>\n<|begin_of_audio|><|end_of_audio|><|assistant|>streaming_transcription\nYes.<|user|>\nMore<|assistant|>streaming_transcription\n",
            Voice.RenderText(spoken).Text);
        Assert.Single(Voice.Render(spoken, Vocabularies.Small).Prompt!.Media);
    }

    [Theory]
    [InlineData("\n  one two \n three \n\n", "one two \n three")]
    [InlineData(" \n ", null)]
    [InlineData("\u3000一\u3000", "一")]
    public void A_transcript_has_no_white_space_around_it(string said, string? expected)
    {
        for (int size = 1; size <= said.Length; size++)
        {
            OutputAutomaton automaton = new(Asr, null, new OutputOptions { Start = OutputStart.Content });
            List<ChatEvent> events = [];
            foreach (char[] piece in said.Chunk(size))
                automaton.FeedText(piece, events);
            automaton.Finish(EndCause.StopToken, events);
            MessageBuilder message = new();
            message.Add(events);
            Assert.Equal(expected, message.Content);
        }
    }

    [Fact]
    public void Audio_codes_are_no_text_and_cut_no_character()
    {
        VoiceBytes vocabulary = new();
        OutputAutomaton automaton = new(Voice, vocabulary, new OutputOptions { Start = OutputStart.Content });
        List<ChatEvent> events = [];
        byte[] text = Encoding.UTF8.GetBytes("a你b");
        foreach (byte value in text)
        {
            automaton.Feed(value, events);
            automaton.Feed(VoiceBytes.Code, events);
        }

        automaton.Finish(events);
        MessageBuilder message = new();
        message.Add(events);
        Assert.Equal("a你b", message.Content);
    }

    private static ChatMessage User(params ContentPart[] parts) => new() { Role = ChatRole.User, Content = parts };

    private static Conversation Talk(params ChatMessage[] messages) => new(messages, [], new RenderOptions());

    /// <summary>Bytes and one audio code, which some converters mark as visible.</summary>
    private sealed class VoiceBytes : ITokenizer
    {
        public const int Code = 256;

        private static readonly byte[] Bytes = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];

        public int VocabularySize => 257;

        public void Encode(ReadOnlySpan<char> text, bool recogniseAdded, List<int> ids) => ids.AddRange(Encoding.UTF8.GetBytes(text.ToString()).Select(value => (int)value));

        public bool TryGetAdded(ReadOnlySpan<char> token, out int id)
        {
            id = Code;
            return token is "<|audio_7|>";
        }

        public ReadOnlySpan<byte> BytesOf(int id) => id == Code ? "<|audio_7|>"u8 : Bytes.AsSpan(id, 1);

        public TokenKind KindOf(int id) => id == Code ? TokenKind.Added : TokenKind.Text;
    }
}
