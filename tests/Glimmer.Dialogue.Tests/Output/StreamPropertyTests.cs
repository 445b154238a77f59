using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;
using static Glimmer.Dialogue.Tests.Output.Answer;

namespace Glimmer.Dialogue.Tests.Output;

public sealed class StreamPropertyTests
{
    private static readonly string[] Generations = ["glm-4.7", "glm-4.5", "glm-4-0414", "glm-z1", "glm-4.1v", "glm-4.5v"];

    [Fact]
    public void The_result_does_not_depend_on_how_text_arrives() => Fuzz.Run(1500, random =>
    {
        string output = RandomOutput(random);
        OutputOptions options = RandomOptions(random);
        string generation = random.GetItems(Generations, 1)[0];
        EndCause cause = random.Next(2) == 0 ? EndCause.StopToken : EndCause.MaxTokens;
        string whole = OfText(output, options, cause, generation).Describe();
        Assert.Equal(whole, OfPieces(output.Select(c => c.ToString()), options, cause, generation).Describe());
        Assert.Equal(whole, OfPieces(RandomPieces(random, output), options with { StreamArguments = !options.StreamArguments }, cause, generation).Describe());
    });

    [Fact]
    public void Tokens_say_what_their_text_says() => Fuzz.Run(500, random =>
    {
        List<int> ids = RandomTokens(random);
        OutputOptions options = RandomOptions(random);
        string text = Vocabularies.Small.Decode([.. ids.Where(id => Vocabularies.Small.KindOf(id) != TokenKind.Special)]);
        // The limit cuts the last character in two where its bytes are not complete: that one is left out.
        StreamDecoder last = new(Vocabularies.Small);
        foreach (int id in ids)
            last.Append(id);
        if (last.HasPending)
            text = text[..^last.Flush().Length];
        Assert.Equal(
            OfText(text, options, EndCause.MaxTokens).Describe(),
            OfIds(ids, options, Vocabularies.Small, EndCause.MaxTokens).Describe());
    });

    [Fact]
    public void Nothing_the_model_says_is_lost() => Fuzz.Run(500, random =>
    {
        // Every letter and digit of an output without a call shows up somewhere, in order.
        string output = RandomOutput(random).Replace("<tool_call>", "<tool_cal>", StringComparison.Ordinal);
        Answer answer = OfText(output, Options(OutputStart.ThinkPending), EndCause.MaxTokens);
        string expected = Letters(TrimStart(output).StartsWith("<think>", StringComparison.Ordinal) ? RemoveThink(output) : output);
        Assert.Equal(expected, Letters(answer.Reasoning + answer.Content));
    });

    [Fact]
    public void An_information_separator_before_the_thinking_is_space() // found by seed 28869
    {
        Answer answer = OfText("\u001c\n<think>a</think>b", Options(OutputStart.ThinkPending), EndCause.StopToken);
        Assert.Equal(("a", "b"), (answer.Reasoning, answer.Content));
    }

    [Fact]
    public void Arguments_are_always_one_JSON_object() => Fuzz.Run(1500, random =>
    {
        Answer answer = OfText(RandomOutput(random), RandomOptions(random), random.Next(2) == 0 ? EndCause.StopToken : EndCause.MaxTokens);
        foreach (SaidCall call in answer.Calls)
        {
            using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetBytes(call.Arguments), new JsonDocumentOptions { MaxDepth = 600 });
            Assert.Equal(JsonValueKind.Object, document.RootElement.ValueKind);
        }
    });

    [Fact]
    public void Calls_come_in_order_and_every_one_begun_is_ended_or_abandoned() => Fuzz.Run(800, random =>
    {
        Answer answer = OfText(RandomOutput(random), RandomOptions(random), random.Next(2) == 0 ? EndCause.StopToken : EndCause.MaxTokens);
        int open = -1, next = 0;
        foreach (ChatEvent said in answer.Events)
        {
            switch (said.Kind)
            {
                case ChatEventKind.ToolCallStart:
                    Assert.Equal(-1, open);
                    Assert.Equal(next++, said.ToolIndex);
                    open = said.ToolIndex;
                    break;
                case ChatEventKind.ToolCallArguments:
                    Assert.Equal(open, said.ToolIndex);
                    break;
                case ChatEventKind.ToolCallEnd or ChatEventKind.ToolCallAbandoned:
                    Assert.Equal(open, said.ToolIndex);
                    open = -1;
                    break;
                default:
                    Assert.True(said.Kind == ChatEventKind.ReasoningWasAnswer || said.Text.Length > 0);
                    break;
            }
        }

        Assert.Equal(-1, open);
    });

    [Theory]
    [InlineData("glm-4.5")]
    [InlineData("glm-4.7")]
    [InlineData("glm-5")]
    [InlineData("glm-5.1")]
    [InlineData("glm-5.2")]
    [InlineData("glm-5.3")]
    [InlineData("glm-5.3-flash")]
    [InlineData("glm-4.5v")]
    [InlineData("glm-ocr")]
    public void What_is_rendered_parses_back(string name) => Fuzz.Run(150, random =>
    {
        Generation generation = Dialogue.Generations.Generations.ForName(name);
        ChatMessage message = RandomMessage(random);
        Conversation asked = new([ChatMessage.OfText(ChatRole.User, "Q")], RandomTalk.Tools, new() { AddGenerationPrompt = false });
        Conversation answered = asked with { Messages = [.. asked.Messages, message] };
        int[] before = generation.Render(asked, Vocabularies.Small).Prompt!.Tokens;
        int[] after = generation.Render(answered, Vocabularies.Small).Prompt!.Tokens;
        Assert.Equal(before, after[..before.Length]);

        // What follows <|assistant|> is what the model says when it opens its reasoning itself, or leaves it out.
        List<int> said = [.. after[(before.Length + 1)..]];
        Assert.True(Vocabularies.Small.TryGetAdded("</think>", out int close));
        OutputStart start = said[0] == close ? OutputStart.Reasoning : OutputStart.ThinkPending;
        Answer answer = OfIds(said, Options(start), Vocabularies.Small, EndCause.StopToken, name);

        string reasoning = message.ReasoningContent!.Trim('\n');
        if (name is "glm-4.5" or "glm-4.7" or "glm-5" or "glm-4.5v" or "glm-ocr")
            reasoning = PythonText.Strip(reasoning.AsMemory()).ToString();
        Assert.Equal(reasoning.Length == 0 ? null : reasoning, answer.Reasoning);
        string content = PythonText.Strip(((TextPart)message.Content[0]).Text.AsMemory()).ToString();
        Assert.Equal(content.Length == 0 ? null : content, answer.Content);
        Assert.Equal(
            message.ToolCalls.Select(call => (call.Name, PythonJson.Write(RandomTalk.Json(call.Arguments)))),
            answer.Calls.Select(call => (call.Name, PythonJson.Write(RandomTalk.Json(call.Arguments)))));
        Assert.Equal(Repairs.None, answer.Automaton.RepairsMade);
    });

    private static ChatMessage RandomMessage(Random random)
    {
        string Harmless(int most) => RandomTalk.Text(random, most);
        List<ToolCall> calls = [];
        for (int i = random.Next(3); i > 0; i--)
        {
            calls.Add(random.Next(3) switch
            {
                0 => new ToolCall("", "now", "{}"),
                1 => new ToolCall("", "get_weather", JsonSerializer.Serialize(new { city = Harmless(12), days = random.Next(-9, 99), metric = random.Next(2) == 0 })),
                _ => new ToolCall("", "search", $$"""{"q": {{JsonSerializer.Serialize(Harmless(8))}}, "filters": {"a": [1.5, null, "x"], "b": {} }, "lang": null, "any": [true]}"""),
            });
        }

        return new ChatMessage { Role = ChatRole.Assistant, Content = [new TextPart(Harmless(30))], ReasoningContent = Harmless(30), ToolCalls = calls };
    }

    private static OutputOptions RandomOptions(Random random) => new()
    {
        Start = random.GetItems(Enum.GetValues<OutputStart>(), 1)[0],
        Tools = random.Next(5) == 0 ? [] : RandomTalk.Tools,
        Stop = random.Next(4) switch { 0 => ["now", "\n\n"], 1 => ["answer", "wer. a", "</"], _ => [] },
        StreamArguments = random.Next(2) == 0,
        ParallelToolCalls = random.Next(4) != 0,
        KeepBoxes = random.Next(2) == 0,
        Repairs = random.Next(3) == 0 ? (Repairs)random.Next((int)Repairs.All + 1) : Repairs.All,
    };

    // Random text with many tags in it, and every so often a good call.
    private static string RandomOutput(Random random)
    {
        StringBuilder output = new();
        if (random.Next(3) == 0)
            output.Append("\n<think>").Append(RandomTalk.Text(random, 10)).Append("</think>\n");
        for (int i = random.Next(12); i > 0; i--)
        {
            output.Append(random.Next(8) switch
            {
                0 => "<tool_call>search\n<arg_key>q</arg_key>\n<arg_value>" + RandomTalk.Text(random, 6) + "</arg_value>\n</tool_call>",
                1 => "<tool_call>get_weather<arg_key>days</arg_key><arg_value>" + random.Next(9) + "</arg_value><arg_key>city</arg_key><arg_value>" + RandomTalk.Text(random, 3) + "</arg_value></tool_call>",
                2 or 3 or 4 => random.GetItems(RandomTalk.Controls, 1)[0],
                5 => random.GetItems(["now\n{}", "get_weather\n{\"city\": \"B\"}", "search", "get_weather", "now", "city", "q"], 1)[0],
                _ => RandomTalk.Text(random, 8),
            });
        }

        return random.Next(4) == 0 && output.Length > 0 ? output.ToString(0, random.Next(output.Length)) is var cut && cut.Length > 0 && char.IsHighSurrogate(cut[^1]) ? cut[..^1] : cut : output.ToString();
    }

    private static List<int> RandomTokens(Random random)
    {
        List<int> ids = [];
        IReadOnlyList<AddedToken> added = Vocabularies.Small.AddedTokens;
        IReadOnlySet<int> stops = Dialogue.Generations.Generations.ForName("glm-4.7").StopTokens(Vocabularies.Small);
        for (int i = random.Next(60); i > 0; i--)
        {
            int id = random.Next(3) switch
            {
                0 => added[random.Next(added.Count)].Id,
                1 => random.Next(Vocabularies.Small.VocabularySize),
                _ => random.GetItems([.. Vocabularies.Small.Encode("get_weather now city search q B { } \n text </ <", false)], 1)[0],
            };
            if (!stops.Contains(id) && Vocabularies.Small.KindOf(id) != TokenKind.Special)
                ids.Add(id);
        }

        return ids;
    }

    private static IEnumerable<string> RandomPieces(Random random, string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int length = Math.Min(random.Next(1, 9), text.Length - at);
            yield return text.Substring(at, length);
            at += length;
        }
    }

    private static string RemoveThink(string output)
    {
        string rest = TrimStart(output)["<think>".Length..];
        int close = rest.IndexOf("</think>", StringComparison.Ordinal);
        return close < 0 ? rest : rest[..close] + rest[(close + "</think>".Length)..];
    }

    // Space as the automaton knows it, the separators U+001C to U+001F included.
    private static string TrimStart(string text) => new([.. text.SkipWhile(PythonText.IsSpace)]);

    private static string Letters(string? text) => string.Concat((text ?? "").Where(char.IsLetterOrDigit));
}
