using System.Text;
using Glimmer.Client.Tests.Support;
using Glimmer.Inference;

namespace Glimmer.Client.Tests;

/// <summary>A real server over HTTP and the same backend in process: the same answers, the same chunks, the same errors.</summary>
public sealed class SameAnswersTests
{
    private const string Scenario = """
        models: [glm-4.7]
        generation: glm-4.7
        rules:
          - when: { result_of: get_weather }
            reply: "The tool says: {{last}}"
          - when: { last: weather }
            reply:
              thinking: I should ask.
              text: One moment.
              tool_calls:
                - name: get_weather
                  arguments: { city: "北京" }
                - name: get_weather
                  arguments: { city: Rome }
          - when: { last: broken }
            reply: { text: "one two three four five six seven eight", cut_after: 3 }
          - when: { last: fails }
            reply: { text: "never", cut_after: 0 }
          - when: { last: limit }
            reply: { error: 1308 }
          - when: { last: think }
            reply: { thinking: "Hm, 🌍.", text: "Yes, 世界." }
        fallback: "Good morning, 世界 🌍!"
        """;

    private static readonly ToolFunction Weather = new(
        "get_weather", "The weather of a city.", new ToolParameters().Text("city", "Its name."), arguments => $"sunny in {arguments["city"]}");

    public static TheoryData<string> Questions => ["hello", "think", "weather", "broken", "fails", "limit", "", "stop", "many", "short"];

    [Theory]
    [MemberData(nameof(Questions))]
    public Task A_script_answers_the_same(string question) => CompareAsync(TestHouse.Script(Scenario), "glm-4.7", question);

    [Theory]
    [InlineData("hello")]
    [InlineData("think")]
    [InlineData("weather")]
    [InlineData("many")]
    [InlineData("short")]
    public async Task The_bundled_model_answers_the_same(string question)
    {
        await using var backend = TestHouse.Bundled();
        await CompareAsync(backend, "glimmer-tiny", question);
    }

    [Fact]
    public async Task The_tool_loop_runs_over_both()
    {
        await using TestHouse house = await TestHouse.StartAsync(TestHouse.Script(Scenario));
        foreach (IGlimmerChat chat in new IGlimmerChat[] { house.Client.Chat, house.InProcess })
        {
            ToolRun run = await chat.RunToolsAsync(
                new CompletionRequest { Model = "glm-4.7", Messages = [Message.User("weather?")], ToolChoice = ToolChoice.Auto }, [Weather]);
            Assert.Equal("The tool says: sunny in Rome", run.Answer.Text);
            Assert.Equal(2, run.Rounds);
            Assert.Equal(["user", "assistant", "tool", "tool", "assistant"], run.Messages.Select(message => message.Role));
            Assert.Equal("sunny in 北京", run.Messages[2].Content!.Text);
            Assert.True(run.Usage.TotalTokens > run.Answer.Usage!.TotalTokens);
        }
    }

    [Fact]
    public async Task In_process_leaving_and_cancelling_end_the_generation()
    {
        await using var backend = TestHouse.Bundled();
        var chat = new Glimmer.Server.InProcess.InProcessChat(backend);
        var request = new CompletionRequest { Model = "glimmer-tiny", Messages = [Message.User("Count to one thousand.")], MaxTokens = 300 };
        await foreach (CompletionChunk _ in chat.StreamAsync(request))
            break;
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (CompletionChunk _ in chat.StreamAsync(request, cancel.Token))
                await cancel.CancelAsync();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => chat.CompleteAsync(request, cancel.Token));
        Assert.NotEqual("", (await chat.CompleteAsync(request with { MaxTokens = 4, Thinking = Thinking.Disabled })).Text);
    }

    private static async Task CompareAsync(IChatBackend backend, string model, string question)
    {
        await using TestHouse house = await TestHouse.StartAsync(backend);
        CompletionRequest request = new()
        {
            Model = model,
            Messages = question.Length == 0 ? [Message.System("no user")] : [Message.System("Be brief."), Message.User($"{question}?")],
            Tools = question == "weather" ? [Weather.ToTool()] : null,
            DoSample = false,
            MaxTokens = question == "short" ? 2 : 24,
            N = question == "many" ? 2 : null,
            Stop = question == "stop" ? ["世"] : null,
        };
        foreach (bool toolStream in new[] { false, true })
        {
            request = request with { ToolStream = toolStream };
            Assert.Equal(await WholeAsync(house.Client.Chat, request), await WholeAsync(house.InProcess, request));
            (string text, Completion? folded) = await StreamAsync(house.Client.Chat, request);
            (string inProcess, Completion? foldedInProcess) = await StreamAsync(house.InProcess, request);

            // Events of several answers may come in any order; each answer's own may not.
            Assert.Equal(request.N is null ? text : "", request.N is null ? inProcess : "");
            Assert.Equal(Text(folded), Text(foldedInProcess));
        }
    }

    private static async Task<string> WholeAsync(IGlimmerChat chat, CompletionRequest request)
    {
        try
        {
            return Text(await chat.CompleteAsync(request));
        }
        catch (GlimmerException fault)
        {
            return Text(fault);
        }
    }

    private static async Task<(string Chunks, Completion? Folded)> StreamAsync(IGlimmerChat chat, CompletionRequest request)
    {
        var text = new StringBuilder();
        var builder = new CompletionBuilder();
        char kind = ' ';
        try
        {
            await foreach (CompletionChunk chunk in chat.StreamAsync(request))
            {
                builder.Add(chunk);
                // A backend that is ahead of its reader says more at once, so pieces of one kind are joined.
                char now = chunk.Reasoning.Length > 0 ? 'r' : chunk.Content.Length > 0 ? 'c' : chunk.ToolCalls.Count > 0 ? (char)('0' + chunk.ToolCalls[0].Index!.Value) : 'e';
                if (now != kind)
                    text.Append('\n').Append(kind = now).Append(':');
                text.Append(chunk.Reasoning).Append(chunk.Content).Append(chunk.FinishReason);
                foreach (ToolCall piece in chunk.ToolCalls)
                    text.Append(piece.Function?.Name).Append(piece.Function?.Arguments);
            }
        }
        catch (GlimmerException fault)
        {
            return (Text(fault), null);
        }

        return (text.ToString(), builder.Build());
    }

    private static string Text(GlimmerException fault) =>
        $"{fault.GetType().Name} {fault.Code} {fault.Status} {(fault.Code == 1234 ? "" : fault.Message)} {fault.RetryAfter}";

    private static string Text(Completion? answer) => answer is null ? "" : string.Join('\n', answer.Choices.Select(choice =>
        $"{choice.Index} {choice.FinishReason} {choice.Message!.Role} <{choice.Message.ReasoningContent}> <{choice.Message.Content}> "
        + string.Join(',', (choice.Message.ToolCalls ?? []).Select(call => $"{call.Index}{call.Function!.Name}{call.Function.Arguments}")))) + $"\n{answer.Model} {answer.Usage?.PromptTokens} {answer.Usage?.CompletionTokens} {answer.Usage?.CompletionTokensDetails?.ReasoningTokens}";
}
