using System.CommandLine;
using Glimmer.Cli.Hosting;
using Glimmer.Cli.Terminal;
using Glimmer.Inference.Embedded;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer chat</c>: a conversation in the terminal.</summary>
internal static class ChatCommand
{
    public static Command Create()
    {
        Command command = new("chat", "Talk to a model in the terminal. /help shows what can be typed.");
        AnswerOptions options = new(command);
        command.SetAction(async result =>
        {
            try
            {
                EngineSettings settings = options.Engine(result);
                LocalChatOptions chat = options.Chat(result);
                await using EmbeddedChatBackend backend = LocalModel.Start(LocalModel.Load(settings), settings);
                InputHistory history = new(Path.Combine(
                    Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "glimmer", "chat-history"));
                ChatSession session = new(new LocalChat(backend, chat), Console.Out, styled: !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null);
                Func<string, string?> read = Console.IsInputRedirected ? _ => Console.ReadLine() : new LineEditor(new ConsoleTerminal(), history).Read;
                await session.RunAsync(options.System(result), $"{backend.Models[0]}: {backend.Package.Description.Architecture}, {backend.Package.Description.Parameters / 1e6:0.#} M parameters", read);
                return 0;
            }
            catch (GlimmerStartupException fault)
            {
                await Console.Error.WriteLineAsync($"chat: {fault.Message}");
                return fault.ExitCode;
            }
        });
        return command;
    }
}
