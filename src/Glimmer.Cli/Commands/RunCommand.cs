using System.CommandLine;
using Glimmer.Cli.Hosting;
using Glimmer.Cli.Terminal;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Embedded;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer run "prompt"</c>: one answer, for scripts and pipes.</summary>
internal static class RunCommand
{
    // Enough for any prompt a model here can take; what is longer is a mistake, not a prompt.
    private const int LargestInput = 64 << 20;

    public static Command Create()
    {
        Argument<string?> prompt = new("PROMPT") { Description = "What to ask. Piped input is added below it; with no prompt it is the prompt.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> thinking = new("--show-thinking") { Description = "Print the thinking too, on standard error." };
        Option<bool> json = new("--json") { Description = "Make the answer one JSON object." };
        Command command = new("run", "Answer one prompt. Only the answer goes to standard output.") { prompt, thinking, json };
        AnswerOptions options = new(command);
        command.SetAction(async (result, cancel) =>
        {
            try
            {
                if (await ReadPromptAsync(result.GetValue(prompt), cancel) is not { } text)
                {
                    await Console.Error.WriteLineAsync("run: nothing to ask. Use glimmer run \"prompt\", or pipe the prompt in.");
                    return 64;
                }

                return await RunAsync(text, options.System(result), options.Engine(result), options.Chat(result) with { Json = result.GetValue(json) }, result.GetValue(thinking), cancel);
            }
            catch (GlimmerStartupException fault)
            {
                await Console.Error.WriteLineAsync($"run: {fault.Message}");
                return fault.ExitCode;
            }
        });
        return command;
    }

    private static async Task<string?> ReadPromptAsync(string? prompt, CancellationToken cancel)
    {
        if (!Console.IsInputRedirected || StandardInput.IsClosed)
            return string.IsNullOrWhiteSpace(prompt) ? null : prompt;
        char[] buffer = new char[LargestInput];
        int length = await Console.In.ReadBlockAsync(buffer, cancel);
        if (length == LargestInput)
            throw new GlimmerStartupException($"more than {LargestInput} characters were piped in; that is no prompt.", 65);
        string piped = new string(buffer, 0, length).TrimEnd();
        if (piped.Length == 0)
            return string.IsNullOrWhiteSpace(prompt) ? null : prompt;
        return string.IsNullOrWhiteSpace(prompt) ? piped : $"{prompt}\n\n{piped}";
    }

    private static async Task<int> RunAsync(string prompt, string? system, EngineSettings settings, LocalChatOptions options, bool showThinking, CancellationToken cancel)
    {
        await using EmbeddedChatBackend backend = LocalModel.Start(LocalModel.Load(settings), settings);
        LocalChat chat = new(backend, options);
        if (system is not null)
            chat.Messages.Add(ChatMessage.OfText(ChatRole.System, system));
        chat.Messages.Add(ChatMessage.OfText(ChatRole.User, prompt));
        AnswerPrinter answer = new(Console.Out, styled: false, showThinking: false);
        AnswerPrinter thoughts = new(Console.Error, styled: false, showThinking: true);
        (FinishReason finish, string? error) = await chat.AnswerAsync(
            said =>
            {
                if (said.Kind != ChatEventKind.Reasoning)
                    answer.Print(said);
                else if (showThinking)
                    thoughts.Print(said);
            },
            cancel);
        thoughts.End();
        answer.End();
        if (error is not null)
        {
            await Console.Error.WriteLineAsync($"run: {error}");
            return 1;
        }

        if (finish is FinishReason.BackendFault)
        {
            await Console.Error.WriteLineAsync("run: the engine failed; the answer is not complete.");
            return 1;
        }

        return finish is FinishReason.Cancelled ? 130 : 0;
    }
}
