using Glimmer.Dialogue.Output;
using static Glimmer.Dialogue.Tests.Output.Answer;

namespace Glimmer.Dialogue.Tests.Output;

/// <summary>Output after a raw prompt: text and nothing else.</summary>
public sealed class PlainOutputTests
{
    private const string Call = "<tool_call>get_weather<arg_key>city</arg_key><arg_value>B</arg_value></tool_call>";

    [Theory]
    [InlineData("\n\n  leading and trailing \n")]
    [InlineData("   ")]
    [InlineData("<think>a</think>b")]
    [InlineData("a </think> b\n")]
    [InlineData("x " + Call + " y")]
    [InlineData("<tool_call>get_wea")]
    [InlineData("<|begin_of_box|>x<|end_of_box|> <answer>y</answer>")]
    [InlineData("👩‍👩 北京")]
    public void Every_character_passes_however_it_arrives(string output)
    {
        foreach (OutputStart start in Enum.GetValues<OutputStart>())
        {
            OutputOptions options = Options(start) with { IsPlain = true };
            for (int size = 1; size <= output.Length; size++)
            {
                Answer answer = OfPieces(output.Chunk(size).Select(piece => new string(piece)), options, EndCause.MaxTokens);
                Assert.Equal((output, null, FinishReason.Length), (answer.Content, answer.Reasoning, answer.Finish));
                Assert.Empty(answer.Calls);
            }
        }
    }

    [Theory]
    [InlineData("a\n\nb", "\n\n", "a")]
    [InlineData("\n\nb", "\n\n", null)]
    [InlineData("a </think>", "</think>", "a ")]
    [InlineData("a STO", "STOP", "a STO")]
    public void A_stop_text_ends_it(string output, string stop, string? content)
    {
        for (int size = 1; size <= output.Length; size++)
            Assert.Equal(content, OfPieces(output.Chunk(size).Select(piece => new string(piece)), Options() with { IsPlain = true, Stop = [stop] }, EndCause.MaxTokens).Content);
    }

    [Fact]
    public void A_control_token_is_not_shown_and_a_stop_token_ends_it()
    {
        Answer answer = OfTokens(" a<|assistant|>b <think>c<|user|>", Options() with { IsPlain = true });
        Assert.Equal((" ab <think>c", FinishReason.Stop), (answer.Content, answer.Finish));
    }
}
