using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;
using static Glimmer.Dialogue.Tests.Output.Answer;

namespace Glimmer.Dialogue.Tests.Output;

public sealed class OutputAutomatonTests
{
    private const string Call = "<tool_call>get_weather<arg_key>city</arg_key><arg_value>B</arg_value><arg_key>days</arg_key><arg_value>2</arg_value></tool_call>";

    [Theory]
    [InlineData("ab STOP cd", "STOP", "ab ")]
    [InlineData("STOP", "STOP", null)]
    [InlineData("ab ST", "STOP", "ab ST")]
    [InlineData("ab\n\ncd", "\n\n", "ab")]
    [InlineData("\n\nab", "\n\n", "ab")]
    [InlineData("aabaabaac", "aabaac", "aab")]
    [InlineData("北京市", "京", "北")]
    [InlineData("x👩y", "👩", "x")]
    [InlineData("", "", null)]
    [InlineData("abc", "", "abc")]
    public void A_stop_text_ends_the_content_however_it_arrives(string output, string stop, string? content)
    {
        OutputOptions options = Options() with { Stop = [stop] };
        EndCause? expected = content == output || output.Length == 0 ? null : EndCause.StopText;
        for (int size = 1; size <= Math.Max(1, output.Length); size++)
        {
            Answer answer = OfPieces(output.Chunk(size).Select(piece => new string(piece)), options, EndCause.MaxTokens);
            Assert.Equal(content, answer.Content);
            Assert.Equal(stop.Length > 0 && output.TrimStart('\n').Contains(stop, StringComparison.Ordinal) ? FinishReason.Stop : FinishReason.Length, answer.Finish);
        }

        Assert.Equal(content, OfTokens(output, options).Content);
        Assert.True(expected is null || OfTokens(output, options).Automaton.Ended is null or EndCause.StopText);
    }

    [Theory]
    [InlineData("xabcy")]
    [InlineData("xaby")]
    [InlineData("aabc")]
    public void Of_several_stop_texts_the_one_complete_first_counts_whatever_the_chunks(string output)
    {
        OutputOptions options = Options() with { Stop = ["abc", "b", "aab"] };
        HashSet<string?> contents = [];
        for (int size = 1; size <= output.Length; size++)
            contents.Add(OfPieces(output.Chunk(size).Select(piece => new string(piece)), options).Content);
        Assert.Single(contents);
    }

    [Fact]
    public void Stop_texts_do_not_count_in_reasoning_and_calls()
    {
        Answer answer = OfTokens("a STOP b</think>c" + Call.Replace("B", "STOP", StringComparison.Ordinal) + "<|observation|>", Options(OutputStart.Reasoning) with { Stop = ["STOP"] });
        Assert.Equal("a STOP b", answer.Reasoning);
        Assert.Equal("{\"city\": \"STOP\", \"days\": 2}", Assert.Single(answer.Calls).Arguments);
        Assert.Equal(FinishReason.ToolCalls, answer.Finish);
    }

    [Fact]
    public void The_generation_ends_at_the_token_that_completes_a_stop_text()
    {
        List<int> ids = Vocabularies.Small.Encode("one two three", recogniseAdded: true);
        OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName("glm-4.7"), Vocabularies.Small, Options() with { Stop = ["two"] });
        List<ChatEvent> events = [];
        int fed = 0;
        foreach (int id in ids)
        {
            fed++;
            if (automaton.Feed(id, events) == AutomatonVerdict.Done)
                break;
        }

        Assert.Contains("two", Vocabularies.Small.Decode([.. ids.Take(fed)]));
        Assert.DoesNotContain("two", Vocabularies.Small.Decode([.. ids.Take(fed - 1)]));
        Assert.Equal(AutomatonVerdict.Done, automaton.Feed(ids[^1], events));
        Assert.Equal(FinishReason.Stop, automaton.Finish(events));
    }

    [Theory]
    [InlineData("<|observation|>", FinishReason.ToolCalls)]
    [InlineData("<|user|>", FinishReason.ToolCalls)]
    [InlineData("<|endoftext|>", FinishReason.ToolCalls)]
    [InlineData("", FinishReason.Length)]
    public void A_complete_call_finishes_with_tool_calls_unless_cut_off(string end, FinishReason expected) =>
        Assert.Equal(expected, OfTokens(Call + end, Options()).Finish);

    [Theory]
    [InlineData(EndCause.StopToken, FinishReason.Stop)]
    [InlineData(EndCause.MaxTokens, FinishReason.Length)]
    [InlineData(EndCause.ContextFull, FinishReason.ContextWindow)]
    [InlineData(EndCause.Sensitive, FinishReason.Sensitive)]
    [InlineData(EndCause.Fault, FinishReason.BackendFault)]
    [InlineData(EndCause.Cancelled, FinishReason.Cancelled)]
    public void Each_cause_has_its_reason(EndCause cause, FinishReason expected)
    {
        Assert.Equal(expected, OfText("Hi", Options(), cause).Finish);
        Assert.Equal(FinishReason.Stop, OfTokens("Hi<|observation|>", Options()).Finish);
    }

    [Fact]
    public void Without_parallel_calls_the_answer_ends_with_the_first()
    {
        Answer answer = OfTokens("A" + Call + Call + "B<|observation|>", Options() with { ParallelToolCalls = false });
        Assert.Equal(EndCause.FirstCall, answer.Automaton.Ended);
        Assert.Single(answer.Calls);
        Assert.Equal("A", answer.Content);
        Assert.Equal(FinishReason.ToolCalls, answer.Finish);
        Assert.Equal(Vocabularies.Small.Encode("A" + Call, recogniseAdded: true).Count, answer.Automaton.Tokens);
    }

    [Fact]
    public void Arguments_come_as_they_are_written_or_in_one_piece()
    {
        string output = "<tool_call>search<arg_key>q</arg_key><arg_value>one two three \"four\"</arg_value></tool_call><|observation|>";
        Answer streamed = OfTokens(output, Options());
        Answer whole = OfTokens(output, Options() with { StreamArguments = false });
        Assert.Equal(streamed.Describe(), whole.Describe());
        Assert.True(streamed.Events.Count(said => said.Kind == ChatEventKind.ToolCallArguments) > 4);
        Assert.Equal([ChatEventKind.ToolCallStart, ChatEventKind.ToolCallArguments, ChatEventKind.ToolCallEnd], whole.Events.Select(said => said.Kind));
    }

    [Fact]
    public void A_call_cut_off_by_the_limit_is_marked_and_its_text_is_content()
    {
        Answer answer = OfTokens("Wait.\n" + Call[..90], Options());
        Assert.Equal("Wait.\n" + Call[..90], answer.Content);
        Assert.Empty(answer.Calls);
        Assert.Equal(FinishReason.Length, answer.Finish);
        Assert.Contains(answer.Events, said => said.Kind == ChatEventKind.ToolCallAbandoned && said.ToolIndex == 0);
        Assert.DoesNotContain(OfTokens("Wait.\n" + Call[..90], Options() with { StreamArguments = false }).Events, said => said.Kind == ChatEventKind.ToolCallAbandoned);
    }

    [Theory]
    [InlineData(EndCause.StopToken, "the answer", null, FinishReason.Stop)]
    [InlineData(EndCause.MaxTokens, null, "the answer", FinishReason.Length)]
    public void Reasoning_opened_by_the_prompt_and_never_closed_is_the_answer_when_the_turn_ended(EndCause cause, string? content, string? reasoning, FinishReason finish)
    {
        Answer answer = OfPieces(["the ", "answer"], Options(OutputStart.Reasoning), cause);
        Assert.Equal((content, reasoning, finish), (answer.Content, answer.Reasoning, answer.Finish));
        Assert.Equal(content is not null, answer.Events.Exists(said => said.Kind == ChatEventKind.ReasoningWasAnswer));
        // A stream has shown it as reasoning already; the content comes whole at the end.
        Assert.Equal("the answer", string.Concat(answer.Events.Where(said => said.Kind == ChatEventKind.Reasoning).Select(said => said.Text)));
    }

    [Fact]
    public void Reasoning_tokens_are_those_between_the_tags()
    {
        int Count(string text) => Vocabularies.Small.Encode(text, recogniseAdded: true).Count;
        Assert.Equal(Count("one two three"), OfTokens("one two three</think>four five<|user|>", Options(OutputStart.Reasoning)).Automaton.ReasoningTokens);
        Assert.Equal(Count("one two three"), OfTokens("<think>one two three</think>four<|user|>", Options(OutputStart.ThinkPending)).Automaton.ReasoningTokens);
        Assert.Equal(0, OfTokens("four five<|user|>", Options()).Automaton.ReasoningTokens);
        Assert.Equal(0, OfTokens("the answer<|user|>", Options(OutputStart.Reasoning)).Automaton.ReasoningTokens);
    }

    [Fact]
    public void A_thinking_budget_asks_for_the_end_of_the_reasoning()
    {
        OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName("glm-4.7"), Vocabularies.Small, Options(OutputStart.Reasoning) with { ThinkingBudget = 3 });
        List<ChatEvent> events = [];
        List<int> thought = Vocabularies.Small.Encode("one two three four five six", recogniseAdded: true);
        int fed = 0;
        while (!automaton.ShouldForceEndThink)
            automaton.Feed(thought[fed++], events);
        Assert.Equal(3, fed);
        Assert.True(Vocabularies.Small.TryGetAdded("</think>", out int close));
        Assert.Equal([.. Vocabularies.Small.Encode("\n", false), close], automaton.EndThinkTokens);
        foreach (int id in automaton.EndThinkTokens)
            automaton.Feed(id, events);
        Assert.False(automaton.IsReasoning);
        Assert.False(automaton.ShouldForceEndThink);
        foreach (int id in Vocabularies.Small.Encode("Answer", false))
            automaton.Feed(id, events);
        automaton.Finish(EndCause.StopToken, events);
        MessageBuilder message = new();
        message.Add(events);
        Assert.Equal("Answer", message.Content);
        Assert.Equal(Vocabularies.Small.Decode([.. thought.Take(3)]), message.Reasoning);
    }

    [Fact]
    public void A_budget_never_cuts_a_character()
    {
        OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName("glm-z1"), Vocabularies.Early, new() { Start = OutputStart.Reasoning, ThinkingBudget = 2 });
        List<ChatEvent> events = [];
        List<int> bytes = [];
        Vocabularies.Early.Encode("北京", false, bytes);
        List<bool> forced = [];
        foreach (int id in bytes)
        {
            automaton.Feed(id, events);
            forced.Add(automaton.ShouldForceEndThink);
        }

        Assert.Equal([false, false, true, false, false, true], forced);
        List<int> close = [];
        Vocabularies.Early.Encode("\n</think>", false, close);
        Assert.Equal(close, automaton.EndThinkTokens);
    }

    [Fact]
    public void Half_characters_wait_and_special_tokens_are_never_shown()
    {
        List<int> ids = [];
        Vocabularies.Vision.Encode("é北", false, ids);
        OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName("glm-4.7"), Vocabularies.Vision, Options());
        List<ChatEvent> events = [];
        foreach (int id in ids.Take(4))
            automaton.Feed(id, events);
        Assert.Equal("é", Assert.Single(events).Text);
        Vocabularies.Vision.TryGetAdded("<|system|>", out int system);
        automaton.Feed(system, events);
        automaton.Finish(EndCause.StopToken, events);
        Assert.Equal("é\uFFFD", string.Concat(events.Select(said => said.Text)));
    }

    [Theory]
    [InlineData(EndCause.MaxTokens, "é")]
    [InlineData(EndCause.ContextFull, "é")]
    [InlineData(EndCause.Cancelled, "é")]
    [InlineData(EndCause.StopToken, "é\uFFFD")]
    public void A_character_cut_by_a_limit_is_dropped_and_one_the_model_left_open_shows(EndCause cause, string said)
    {
        List<int> ids = [];
        Vocabularies.Vision.Encode("é北", false, ids);
        OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName("glm-4.7"), Vocabularies.Vision, Options());
        List<ChatEvent> events = [];
        foreach (int id in ids.Take(4))
            automaton.Feed(id, events);
        automaton.Finish(cause, events);
        Assert.Equal(said, string.Concat(events.Select(item => item.Text)));
    }

    [Fact]
    public void Text_pieces_never_end_inside_a_character()
    {
        Answer answer = OfPieces("x👩y".Select(c => c.ToString()), Options());
        Assert.Equal(["x", "👩", "y"], answer.Events.Select(said => said.Text));
    }

    [Theory]
    [InlineData("At <|begin_of_box|>[[1,2,3,4]]<|end_of_box|>.", false, "At [[1,2,3,4]].")]
    [InlineData("At <|begin_of_box|>[[1,2,3,4]]<|end_of_box|>.", true, "At <|begin_of_box|>[[1,2,3,4]]<|end_of_box|>.")]
    public void Boxes_are_kept_or_stripped(string output, bool keep, string content) =>
        Assert.Equal(content, OfTokens(output + "<|user|>", Options() with { KeepBoxes = keep }, generation: "glm-4.5v").Content);

    [Fact]
    public void Answer_tags_fall_away_and_end_the_turn()
    {
        Answer answer = OfTokens("<think>R</think><answer>\nA</answer>rest", Options(OutputStart.ThinkPending), Vocabularies.Vision, generation: "glm-4.1v");
        Assert.Equal(("A", "R", FinishReason.Stop), (answer.Content, answer.Reasoning, answer.Finish));
        Answer text = OfText("<think>R</think><answer>A</answer>rest", Options(OutputStart.ThinkPending), generation: "glm-4.1v");
        Assert.Equal(("A", "R", EndCause.StopToken), (text.Content, text.Reasoning, text.Automaton.Ended));
    }

    [Fact]
    public void Tags_that_are_plain_text_in_the_vocabulary_are_still_tags()
    {
        Answer answer = OfTokens("Because\n</think>\n\nHi <b>", new() { Start = OutputStart.Reasoning }, Vocabularies.Early, EndCause.StopToken, "glm-z1");
        Assert.Equal(("Hi <b>", "Because"), (answer.Content, answer.Reasoning));
    }

    [Theory]
    [InlineData("get_weather\n{\"city\": \"B\"}<|observation|>", null, "get_weather {\"city\": \"B\"}")]
    [InlineData("\nget_weather \n {\"city\": \"B\", \"x\": \"}\\\"{\"}\n<|observation|>", null, "get_weather {\"city\": \"B\", \"x\": \"}\\\"{\"}")]
    [InlineData("get_weather\n```json\n{\"city\": \"B\"}\n```<|observation|>", null, "get_weather {\"city\": \"B\"}")]
    [InlineData("get_weather\n{\"city\": \"B\"}<|assistant|>now\n{}<|observation|>", null, "get_weather {\"city\": \"B\"}|now {}")]
    [InlineData("get_weather\n{\"city\": \"B\"}\nDone.<|user|>", "\nDone.", "get_weather {\"city\": \"B\"}")]
    [InlineData("now\n<|observation|>", null, "now {}")]
    [InlineData("\nnow is the time<|user|>", "now is the time", "")]
    [InlineData("get_weather\nis a tool<|user|>", "get_weather\nis a tool", "")]
    [InlineData("get_weather\n[1]<|user|>", "get_weather\n[1]", "")]
    [InlineData("get_weather\n{\"city\": B}<|user|>", "get_weather\n{\"city\": B}", "")]
    [InlineData("get_weather\n{\"city\": \"B\"", "get_weather\n{\"city\": \"B\"", "")]
    [InlineData("unknown\n{}<|user|>", "unknown\n{}", "")]
    [InlineData("get_wea", "get_wea", "")]
    [InlineData("\nHello<|user|>", "Hello", "")]
    public void Calls_of_the_older_form(string output, string? content, string calls)
    {
        foreach (string generation in (string[])["glm-4-0414", "glm-4-9b-chat", "glm-z1"])
        {
            Answer answer = OfTokens(output, Options(), Vocabularies.Early, EndCause.MaxTokens, generation);
            Assert.Equal(content, answer.Content);
            Assert.Equal(calls, string.Join("|", answer.Calls.Select(call => $"{call.Name} {call.Arguments}")));
            Assert.Equal(output.Contains("<|", StringComparison.Ordinal) ? calls.Length > 0 ? FinishReason.ToolCalls : FinishReason.Stop : FinishReason.Length, answer.Finish);
        }
    }

    [Fact]
    public void Without_tools_nothing_is_a_call()
    {
        OutputOptions options = new() { Start = OutputStart.Content };
        Assert.Equal(Call, OfTokens(Call + "<|user|>", options).Content);
        Assert.Equal("now\n{}", OfTokens("now\n{}<|user|>", options, Vocabularies.Early, generation: "glm-4-0414").Content);
    }

    [Fact]
    public void It_can_be_finished_once()
    {
        OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName("glm-4.7"), Vocabularies.Small, Options());
        List<ChatEvent> events = [];
        automaton.Finish(events);
        Assert.Throws<InvalidOperationException>(() => automaton.Finish(events));
        Assert.Throws<InvalidOperationException>(() => automaton.Feed(1, events));
        Assert.Throws<InvalidOperationException>(() => automaton.FeedText("x", events));
        Assert.Throws<InvalidOperationException>(() => new OutputAutomaton(Dialogue.Generations.Generations.ForName("glm-4.7"), null, Options()).Feed(1, events));
    }

    [Fact]
    public void Plain_content_costs_one_event_a_token()
    {
        Answer answer = OfTokens("one two three four<|user|>", Options());
        Assert.Equal(Vocabularies.Small.Encode("one two three four", false).Count, answer.Events.Count);
    }

    [Fact]
    public void A_token_costs_the_string_of_its_event_and_nothing_else()
    {
        List<int> ids = Vocabularies.Small.Encode(string.Concat(Enumerable.Repeat("one two <b> three\nfour ", 200)), recogniseAdded: true);
        OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName("glm-4.7"), Vocabularies.Small, Options());
        List<ChatEvent> events = new(ids.Count);
        foreach (int id in ids.Take(100))
            automaton.Feed(id, events);
        int before = events.Count;
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        foreach (int id in ids.Skip(100))
            automaton.Feed(id, events);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        long strings = events.Skip(before).Sum(said => (22L + 2 * said.Text.Length + 7) / 8 * 8);

        // A garbage collection in the background counts up to eight kilobytes more.
        Assert.InRange(allocated, 0, strings + 1024 + 8192);
    }

    [Theory]
    [InlineData(OutputStart.ThinkPending, "{0}<think>R</think>A")]
    [InlineData(OutputStart.ThinkPending, "<think>R{0}</think>A")]
    [InlineData(OutputStart.Reasoning, "{0}R{0}{0}</think>{0}A")]
    [InlineData(OutputStart.Content, "A{0}<tool_call>now</tool_call>{0}B")]
    public void Endless_white_space_is_not_held_for_ever(OutputStart start, string pattern)
    {
        string output = string.Format(pattern, new string('\n', 20_000));
        string whole = OfText(output, Options(start)).Describe();
        foreach (int size in (int[])[1, 1000, 4097])
            Assert.Equal(whole, OfPieces(output.Chunk(size).Select(piece => new string(piece)), Options(start)).Describe());
    }

    [Fact]
    public void Tags_that_a_converter_marked_as_never_shown_are_still_read()
    {
        ITokenizer hidden = new AllSpecial(Vocabularies.Small);
        Answer answer = OfTokens("R</think>A" + Call + "<|observation|>", Options(OutputStart.Reasoning), hidden);
        Assert.Equal(("A", "R", 1), (answer.Content, answer.Reasoning, answer.Calls.Count));
    }

    private sealed class AllSpecial(ITokenizer inner) : ITokenizer
    {
        public int VocabularySize => inner.VocabularySize;

        public void Encode(ReadOnlySpan<char> text, bool recogniseAdded, List<int> ids) => inner.Encode(text, recogniseAdded, ids);

        public bool TryGetAdded(ReadOnlySpan<char> token, out int id) => inner.TryGetAdded(token, out id);

        public TokenKind KindOf(int id) => inner.KindOf(id) == TokenKind.Added ? TokenKind.Special : inner.KindOf(id);

        public ReadOnlySpan<byte> BytesOf(int id) => inner.BytesOf(id);
    }
}
