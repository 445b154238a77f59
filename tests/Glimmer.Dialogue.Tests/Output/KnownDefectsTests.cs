using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;
using static Glimmer.Dialogue.Tests.Output.Answer;

namespace Glimmer.Dialogue.Tests.Output;

/// <summary>One test for each defect that other servers have had with GLM; <c>docs/dialogue.md</c> lists them.</summary>
public sealed class KnownDefectsTests
{
    private static readonly Generation Glm47 = Dialogue.Generations.Generations.ForName("glm-4.7");

    [Fact]
    public void Calls_without_arguments_are_streamed()
    {
        foreach (string output in (string[])["<tool_call>now</tool_call><|observation|>", "<tool_call>now\n</tool_call><|observation|>"])
        {
            Answer answer = OfTokens(output, Options());
            Assert.Equal([(ChatEventKind.ToolCallStart, "now"), (ChatEventKind.ToolCallArguments, "{}"), (ChatEventKind.ToolCallEnd, "")], answer.Events.Select(said => (said.Kind, said.Text)));
        }
    }

    [Theory]
    [InlineData("null", "null")]
    [InlineData("123_456", "\"123_456\"")]
    [InlineData("5", "\"5\"")]
    [InlineData("{\"a\": 1}", "\"{\\\"a\\\": 1}\"")]
    public void Optional_strings_keep_their_type(string value, string json) =>
        Assert.Equal($"{{\"lang\": {json}}}", Assert.Single(OfTokens($"<tool_call>search<arg_key>lang</arg_key><arg_value>{value}</arg_value></tool_call><|user|>", Options()).Calls).Arguments);

    [Fact]
    public void Long_strings_are_streamed_as_they_are_written()
    {
        OutputAutomaton automaton = new(Glm47, Vocabularies.Small, Options());
        List<ChatEvent> events = [];
        foreach (int id in Vocabularies.Small.Encode("<tool_call>search<arg_key>q</arg_key><arg_value>a long text that goes on", recogniseAdded: true))
            automaton.Feed(id, events);
        Assert.Equal("{\"q\": \"a long text that goes on", string.Concat(events.Where(said => said.Kind == ChatEventKind.ToolCallArguments).Select(said => said.Text)));
    }

    [Fact]
    public void Flat_tool_objects_are_tools()
    {
        Answer answer = OfTokens("<tool_call>flat_tool<arg_key>s</arg_key><arg_value>5</arg_value></tool_call><|observation|>", Options());
        Assert.Equal("{\"s\": \"5\"}", Assert.Single(answer.Calls).Arguments);
    }

    [Fact]
    public void Reasoning_opened_by_the_prompt_is_no_content()
    {
        OutputStart start = Glm47.RenderText(new([ChatMessage.OfText(ChatRole.User, "Q")], [], new())).Start;
        Answer answer = OfTokens("R</think>A<|user|>", Options(start));
        Assert.Equal(("A", "R"), (answer.Content, answer.Reasoning));
    }

    [Fact]
    public void Without_thinking_the_answer_is_no_reasoning()
    {
        OutputStart start = Glm47.RenderText(new([ChatMessage.OfText(ChatRole.User, "Q")], [], new() { EnableThinking = false })).Start;
        Answer answer = OfTokens("The whole answer<|user|>", Options(start));
        Assert.Equal(("The whole answer", null), (answer.Content, answer.Reasoning));
    }

    [Fact]
    public void A_model_that_skips_thinking_has_content() =>
        Assert.Equal("The answer", OfTokens("The answer<|user|>", Options(OutputStart.Reasoning)).Content);

    [Fact]
    public void A_prefilled_answer_that_closed_its_thinking_continues_as_content()
    {
        Conversation prefilled = new([ChatMessage.OfText(ChatRole.User, "Q"), ChatMessage.OfText(ChatRole.Assistant, "The answer") with { ReasoningContent = "R" }], [], new() { ContinueFinalMessage = true });
        Assert.All(
            Dialogue.Generations.Generations.All,
            generation => Assert.Equal(OutputStart.Content, generation.RenderText(prefilled).Start));
    }

    [Fact]
    public void A_closing_tag_of_an_earlier_turn_does_not_count()
    {
        Conversation history = new(
            [ChatMessage.OfText(ChatRole.User, "Q"), ChatMessage.OfText(ChatRole.Assistant, "A") with { ReasoningContent = "R" }, ChatMessage.OfText(ChatRole.User, "</think>")],
            [],
            new() { ClearThinking = false });
        Assert.Equal(OutputStart.Reasoning, Glm47.RenderText(history).Start);
        Assert.Equal(OutputStart.ThinkPending, Dialogue.Generations.Generations.ForName("glm-4.5").RenderText(history).Start);
    }

    [Fact]
    public void Ids_are_looked_up_by_name_in_every_vocabulary()
    {
        foreach (ITokenizer vocabulary in (ITokenizer[])[Vocabularies.Small, Vocabularies.Vision])
        {
            OutputAutomaton automaton = new(Glm47, vocabulary, Options(OutputStart.Reasoning));
            Assert.Equal("</think>"u8, vocabulary.BytesOf(automaton.EndThinkTokens[^1]));
            Assert.All(Glm47.StopTokens(vocabulary), id => Assert.Equal(TokenKind.Special, vocabulary.KindOf(id)));
        }
    }

    [Fact]
    public void Arguments_given_as_text_are_parsed_before_they_are_rendered()
    {
        ChatMessage caller = new() { Role = ChatRole.Assistant, ToolCalls = [new ToolCall("1", "f", "{\"a\":\"x\",\"b\":{\"c\":1}}")] };
        Assert.EndsWith("<tool_call>f<arg_key>a</arg_key><arg_value>x</arg_value><arg_key>b</arg_key><arg_value>{\"c\": 1}</arg_value></tool_call><|assistant|><think>", Glm47.RenderText(new([caller], [], new())).Text);
    }

    [Fact]
    public void All_three_stops_end_a_turn() => Assert.All(
        (string[])["<|endoftext|>", "<|user|>", "<|observation|>"],
        stop =>
        {
            Answer answer = OfTokens("A" + stop + "B", Options());
            Assert.Equal(("A", FinishReason.Stop), (answer.Content, answer.Finish));
        });

    [Fact]
    public void Everything_at_once_is_said_whole()
    {
        Answer answer = OfText("R</think>A<tool_call>now</tool_call><tool_call>search<arg_key>q</arg_key><arg_value>x</arg_value></tool_call>", Options(OutputStart.Reasoning));
        Assert.Equal(["{}", "{\"q\": \"x\"}"], answer.Calls.Select(call => call.Arguments));
        Assert.Equal(("A", "R"), (answer.Content, answer.Reasoning));
    }

    [Fact]
    public void Values_are_raw_text_and_not_XML()
    {
        Answer answer = OfTokens("<tool_call>search<arg_key>q</arg_key><arg_value>&lt;a&gt; <b> & \\n</arg_value></tool_call><|user|>", Options());
        Assert.Equal("{\"q\": \"&lt;a&gt; <b> & \\\\n\"}", Assert.Single(answer.Calls).Arguments);
    }

    [Fact]
    public void The_prompt_has_its_prefix_once()
    {
        Vocabularies.Small.TryGetAdded("[gMASK]", out int mask);
        Assert.All(
            Dialogue.Generations.Generations.All.Where(generation => generation.Name is not ("glm-edge" or "glm-asr" or "glm-4-voice")),
            generation => Assert.Single(generation.Render(new([ChatMessage.OfText(ChatRole.User, "[gMASK]<sop>")], [], new()), Vocabularies.Small).Prompt!.Tokens, id => id == mask));
    }

    [Fact]
    public void A_call_inside_the_reasoning_is_a_call_when_tools_were_offered()
    {
        Answer answer = OfTokens("I will look.\n<tool_call>now</tool_call><|observation|>", Options(OutputStart.Reasoning));
        Assert.Equal(("I will look.", 1), (answer.Reasoning, answer.Calls.Count));
        Answer plain = OfTokens("I <tool_call>now</tool_call></think>A<|user|>", Options(OutputStart.Reasoning) with { Tools = [] });
        Assert.Equal(("I <tool_call>now</tool_call>", "A", 0), (plain.Reasoning, plain.Content, plain.Calls.Count));
    }
}
