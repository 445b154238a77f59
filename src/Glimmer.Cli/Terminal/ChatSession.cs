using System.Diagnostics;
using System.Globalization;
using Glimmer.Cli.Hosting;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;

namespace Glimmer.Cli.Terminal;

/// <summary>The loop of a conversation in the terminal: reads, answers, understands <c>/commands</c>. Ctrl-C stops an answer, not the program.</summary>
/// <param name="chat">The conversation.</param>
/// <param name="output">The screen.</param>
/// <param name="styled">Whether it understands control sequences.</param>
internal sealed class ChatSession(LocalChat chat, TextWriter output, bool styled)
{
    private const string Help = """
        /clear            begin a new conversation
        /system TEXT      instructions for the model (begins a new conversation)
        /think on|off     think before answering
        /seed N           make sampling repeatable
        /again            answer the last question anew
        /usage            tokens of the last answer
        /exit             leave (also Ctrl-D)
        Ctrl-C stops an answer. Alt-Enter adds a line; a pasted text stays whole.
        """;

    private string? _system;

    /// <summary>Runs until input ends. <paramref name="read"/> shows a prompt and returns a line, null at the end.</summary>
    public async Task RunAsync(string? system, string title, Func<string, string?> read)
    {
        _system = system;
        Clear();
        output.WriteLine(title);
        output.WriteLine("/help shows what can be typed.");
        while (read("> ") is { } line)
        {
            if (line.TrimStart().StartsWith('/'))
            {
                if (!await CommandAsync(line.Trim(), read))
                    return;
            }
            else if (!string.IsNullOrWhiteSpace(line))
            {
                chat.Messages.Add(ChatMessage.OfText(ChatRole.User, line));
                await AnswerAsync(read);
            }
        }
    }

    private async Task<bool> CommandAsync(string line, Func<string, string?> read)
    {
        string[] words = line.Split(' ', 2, StringSplitOptions.TrimEntries);
        string rest = words.Length > 1 ? words[1] : "";
        switch (words[0])
        {
            case "/exit" or "/quit":
                return false;
            case "/help":
                output.WriteLine(Help);
                break;
            case "/clear":
                Clear();
                output.WriteLine("A new conversation.");
                break;
            case "/system":
                _system = rest.Length > 0 ? rest : null;
                Clear();
                output.WriteLine("A new conversation.");
                break;
            case "/think" when rest is "on" or "off":
                chat.Options = chat.Options with { Think = rest == "on" };
                break;
            case "/seed" when ulong.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed) && seed <= long.MaxValue:
                chat.Options = chat.Options with { Seed = (long)seed };
                break;
            case "/again" when chat.Messages.FindLastIndex(message => message.Role == ChatRole.User) is >= 0 and var last:
                chat.Messages.RemoveRange(last + 1, chat.Messages.Count - last - 1);
                await AnswerAsync(read);
                break;
            case "/usage":
                output.WriteLine($"{chat.LastUsage.PromptTokens} prompt tokens ({chat.LastUsage.CachedTokens} cached), {chat.LastUsage.CompletionTokens} generated ({chat.LastUsage.ReasoningTokens} thinking)");
                break;
            default:
                output.WriteLine($"{line}: not known here.\n{Help}");
                break;
        }

        return true;
    }

    private async Task AnswerAsync(Func<string, string?> read)
    {
        while (true)
        {
            AnswerPrinter printer = new(output, styled, showThinking: true);
            long start = Stopwatch.GetTimestamp();
            (FinishReason finish, string? error) = await StoppableAsync(printer);
            printer.End();
            Note(finish, error, Stopwatch.GetElapsedTime(start));
            if (error is not null || chat.Messages[^1].ToolCalls.Count == 0 || !AskForResults(chat.Messages[^1].ToolCalls, read))
                return;
        }
    }

    private async Task<(FinishReason Finish, string? Error)> StoppableAsync(AnswerPrinter printer)
    {
        using CancellationTokenSource stop = new();
        void OnCancel(object? sender, ConsoleCancelEventArgs pressed)
        {
            pressed.Cancel = true;
            stop.Cancel();
        }

        Console.CancelKeyPress += OnCancel;
        try
        {
            return await chat.AnswerAsync(said => printer.Print(said), stop.Token);
        }
        finally
        {
            Console.CancelKeyPress -= OnCancel;
        }
    }

    // The person plays the tool: an empty line ends the turn without a result.
    private bool AskForResults(IReadOnlyList<ToolCall> calls, Func<string, string?> read)
    {
        foreach (ToolCall call in calls)
        {
            if (read($"result of {call.Name}> ") is not { Length: > 0 } result)
            {
                // A call with only some of its results would not be a conversation that the model knows.
                chat.Messages.RemoveAll(message => message.Role == ChatRole.Tool && calls.Any(asked => asked.Id == message.ToolCallId));
                return false;
            }

            chat.Messages.Add(new ChatMessage { Role = ChatRole.Tool, Content = [new TextPart(result)], ToolCallId = call.Id });
        }

        return true;
    }

    private void Note(FinishReason finish, string? error, TimeSpan elapsed)
    {
        string text = error ?? finish switch
        {
            FinishReason.Cancelled => "stopped",
            FinishReason.Length => "the token limit was reached",
            FinishReason.ContextWindow => "the context window is full; /clear begins anew",
            FinishReason.BackendFault => "the engine failed",
            _ => $"{chat.LastUsage.CompletionTokens} tokens, {chat.LastUsage.CompletionTokens / Math.Max(elapsed.TotalSeconds, 1e-3):0} tokens/s",
        };
        output.WriteLine(styled ? $"\u001b[2m[{text}]\u001b[0m" : $"[{text}]");
    }

    private void Clear()
    {
        chat.Messages.Clear();
        if (_system is not null)
            chat.Messages.Add(ChatMessage.OfText(ChatRole.System, _system));
    }
}
