using Glimmer.Dialogue.Output;
using static Glimmer.Dialogue.Tests.Output.Answer;

namespace Glimmer.Dialogue.Tests.Output;

public sealed class RepairTests
{
    private const string City = "get_weather {\"city\": \"B\"}";

    public static TheoryData<string, Repairs, string, string?> Cases => new()
    {
        { "<tool_call>get_weather\ncity</arg_key><arg_value>B</arg_value></tool_call>", Repairs.KeyOpen, City, null },
        { "<tool_call>get_weathercity</arg_key><arg_value>B</arg_value></tool_call>", Repairs.KeyOpen, City, null },
        { "<tool_call>get_weather<arg_value>city</arg_key><arg_value>B</arg_value></tool_call>", Repairs.KeyOpen, City, null },
        { "<tool_call>get_weather<arg_key>city<arg_value>B</arg_value></tool_call>", Repairs.KeyClose, City, null },
        { "<tool_call>get_weather<arg_key>city</arg_value><arg_value>B</arg_value></tool_call>", Repairs.KeyClose, City, null },
        { "<tool_call>get_weather\ncity<arg_value>B</arg_value></tool_call>", Repairs.KeyOpen | Repairs.KeyClose, City, null },
        { "<tool_call>get_weather<arg_key>city</arg_key>B</arg_value></tool_call>", Repairs.ValueOpen, City, null },
        { "<tool_call>get_weather<arg_key>city</arg_key><arg_key>B</arg_value></tool_call>", Repairs.ValueOpen, City, null },
        { "<tool_call>get_weather<arg_key>city</arg_key>B</tool_call>", Repairs.ValueOpen | Repairs.ValueClose, City, null },
        { "<tool_call>get_weather<arg_key>city</arg_key><arg_value>B</tool_call>", Repairs.ValueClose, City, null },
        { "<tool_call>get_weather<arg_key>city</arg_key><arg_value>B</tool_call>Done", Repairs.ValueClose, City, "Done" },
        { "<tool_call>get_weather<arg_key>city</arg_key><arg_value>B</arg_value><arg_key>days</arg_key></tool_call>", Repairs.KeyWithoutValue, City, null },
        { "<tool_call>get_weather<arg_key>city</arg_key><arg_value>B</arg_value><arg_key>days</tool_call>", Repairs.KeyWithoutValue, City, null },
        { "<tool_call>get_weather<arg_key>city</arg_key><arg_value>B</arg_value>", Repairs.CallClose, City, null },
        { "<tool_call>now<tool_call>get_weather<arg_key>city</arg_key><arg_value>B</arg_value></tool_call>", Repairs.CallClose, "now {}|" + City, null },
        { "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"B\"}}</tool_call>", Repairs.JsonCall, City, null },
        { "<tool_call>{\"name\": \"get_weather\", \"arguments\": \"{\\\"city\\\": \\\"B\\\"}\"}</tool_call>", Repairs.JsonCall, City, null },
        { "<tool_call>\n{\"name\": \"now\"}\n</tool_call>", Repairs.JsonCall, "now {}", null },
        { "<tool_call>get_weather\n{\"city\": \"B\"}\n</tool_call>", Repairs.JsonCall, City, null },
        { "<tool_call>get_weather {\"city\": \"B\"}</tool_call>", Repairs.JsonCall, City, null },
        { "<tool_call>get_weather<arg_key>city</arg_key>stray<arg_value>B</arg_value></tool_call>", Repairs.StrayText, City, "stray" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Each_repair_is_named_counted_and_can_be_switched_off(string output, Repairs repairs, string calls, string? content)
    {
        foreach (bool streams in (bool[])[true, false])
        {
            for (int size = 1; size <= output.Length; size += size < 12 ? 1 : output.Length)
            {
                Answer answer = OfPieces(output.Chunk(size).Select(piece => new string(piece)), Options() with { StreamArguments = streams });
                Assert.Equal(calls, string.Join("|", answer.Calls.Select(call => $"{call.Name} {call.Arguments}")));
                Assert.Equal(content, answer.Content);
                Assert.Equal(repairs, answer.Automaton.RepairsMade);
                Assert.All(Enum.GetValues<Repairs>().Where(kind => int.PopCount((int)kind) == 1), kind => Assert.Equal(repairs.HasFlag(kind) ? 1 : 0, answer.Automaton.CountOf(kind)));

                Answer strict = OfPieces(output.Chunk(size).Select(piece => new string(piece)), Options() with { StreamArguments = streams, Repairs = Repairs.None });
                Assert.DoesNotContain(strict.Calls, call => $"{call.Name} {call.Arguments}" == City && !output.Contains("now<", StringComparison.Ordinal));
                Assert.Equal(Repairs.None, strict.Automaton.RepairsMade);
                Assert.Contains("<tool_call>", strict.Content);
            }
        }
    }

    [Theory]
    [InlineData("<tool_call></tool_call>")]
    [InlineData("<tool_call> \n </tool_call>")]
    [InlineData("<tool_call><arg_key>a</arg_key><arg_value>b</arg_value></tool_call>")]
    [InlineData("Write <tool_call> before the name.")]
    [InlineData("<tool_call>{\"name\": 5}</tool_call")]
    public void What_is_no_call_comes_back_as_content(string output)
    {
        for (int size = 1; size <= output.Length; size++)
        {
            Answer answer = OfPieces(output.Chunk(size).Select(piece => new string(piece)), Options());
            Assert.Empty(answer.Calls);
            Assert.Equal(output, answer.Content);
        }
    }

    [Fact]
    public void A_tag_in_prose_does_not_swallow_the_call_after_it()
    {
        Answer answer = OfText("Use the <tool_call> tag.\n<tool_call>now</tool_call>", Options());
        Assert.Equal("Use the <tool_call> tag.", answer.Content);
        Assert.Equal("now", Assert.Single(answer.Calls).Name);
    }

    [Fact]
    public void A_call_that_is_taken_back_leaves_its_index_unused()
    {
        // The name is written, so the stream has begun the call; the repair it then needs is switched off.
        Answer answer = OfText("<tool_call>now<arg_key>a</tool_call><tool_call>now</tool_call>", Options() with { Repairs = Repairs.All & ~Repairs.KeyWithoutValue });
        Assert.Equal("<tool_call>now<arg_key>a</tool_call>", answer.Content);
        Assert.Equal("now", Assert.Single(answer.Calls).Name);
        Assert.Equal([0, 1], answer.Events.Where(said => said.Kind == ChatEventKind.ToolCallStart).Select(said => said.ToolIndex));
    }

    [Fact]
    public void Endless_text_after_an_opening_tag_is_let_go()
    {
        string output = "<tool_call>" + string.Concat(Enumerable.Repeat("word ", 40_000));
        foreach (int size in (int[])[1000, 7777, output.Length])
        {
            OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName("glm-4.7"), null, Options());
            List<ChatEvent> events = [];
            foreach (char[] piece in output.Chunk(size))
                automaton.FeedText(piece, events);
            Assert.True(events.Sum(said => said.Text.Length) > 100_000);
            automaton.Finish(EndCause.StopToken, events);
            Assert.Equal(output, string.Concat(events.Select(said => said.Text)));
        }
    }

    [Fact]
    public void A_value_with_a_closing_call_tag_is_held_only_so_long()
    {
        string head = "<tool_call>search<arg_key>q</arg_key><arg_value>a</tool_call>";
        string filler = new('x', 100_000);
        foreach (int size in (int[])[5000, 300_000])
        {
            Answer answer = OfPieces((head + filler + "</arg_value></tool_call>").Chunk(size).Select(piece => new string(piece)), Options());
            Assert.Equal("{\"q\": \"a\"}", Assert.Single(answer.Calls).Arguments);
            Assert.Equal(filler + "</arg_value></tool_call>", answer.Content);
            Answer near = OfPieces((head + "near</arg_value></tool_call>").Chunk(size).Select(piece => new string(piece)), Options());
            Assert.Equal("{\"q\": \"a</tool_call>near\"}", Assert.Single(near.Calls).Arguments);
        }
    }
}
