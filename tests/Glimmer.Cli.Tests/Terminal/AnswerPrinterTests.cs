using Glimmer.Cli.Terminal;
using Glimmer.Dialogue.Output;

namespace Glimmer.Cli.Tests.Terminal;

public sealed class AnswerPrinterTests
{
    private static readonly ChatEvent[] _answer =
    [
        new(ChatEventKind.Reasoning, "Let me "),
        new(ChatEventKind.Reasoning, "see."),
        new(ChatEventKind.Content, "One moment."),
        new(ChatEventKind.ToolCallStart, "get_weather", 0),
        new(ChatEventKind.ToolCallArguments, "{\"city\":", 0),
        new(ChatEventKind.ToolCallArguments, "\"Paris\"}", 0),
        new(ChatEventKind.ToolCallEnd, "", 0),
    ];

    [Fact]
    public void Without_styles_parts_are_marked() =>
        Assert.Equal("[thinking] Let me see.\nOne moment.\n[tool] get_weather({\"city\":\"Paris\"})\n", Print(styled: false, thinking: true));

    [Fact]
    public void Thinking_can_be_left_out() =>
        Assert.Equal("One moment.\n[tool] get_weather({\"city\":\"Paris\"})\n", Print(styled: false, thinking: false));

    [Fact]
    public void With_styles_thinking_is_dim_and_everything_is_reset() =>
        Assert.Equal("\u001b[2mLet me see.\u001b[0m\nOne moment.\n\u001b[36m⚙ get_weather({\"city\":\"Paris\"})\u001b[0m\n", Print(styled: true, thinking: true));

    private static string Print(bool styled, bool thinking)
    {
        StringWriter output = new() { NewLine = "\n" };
        AnswerPrinter printer = new(output, styled, thinking);
        foreach (ChatEvent said in _answer)
            printer.Print(said);
        printer.End();
        return output.ToString();
    }
}
