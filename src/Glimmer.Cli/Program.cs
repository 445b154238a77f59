using System.CommandLine;
using Glimmer.Cli.Commands;

RootCommand root = new("Glimmer: the GLM open platform on your own hardware.")
{
    ServeCommand.Create(),
    ChatCommand.Create(),
    RunCommand.Create(),
    BenchCommand.Create(),
    TokenizeCommand.Create(),
    RenderCommand.Create(),
    ParseCommand.Create(),
    GrammarCommand.Create(),
    InspectCommand.Create(),
    QuantizeCommand.Create(),
    EvalCommand.Create(),
    KeysCommand.Create(),
    PullCommand.Create(),
    ModelsCommand.Create(),
    ModelsCommand.CreateVerify(),
    GoldenCommand.Create(),
};

// A mistake in the arguments is one line, like every other mistake; the help stays where it was asked for.
ParseResult parsed;
try
{
    parsed = root.Parse(args);
}
catch (InvalidOperationException fault)
{
    // The parser's way to tell a validator that the text is no value of the option's type.
    await Console.Error.WriteLineAsync(UsageError.Of($"glimmer {args[0]}", fault.Message));
    return UsageError.ExitCode;
}

if (args.Length > 0 && parsed.Errors.Count > 0)
{
    await Console.Error.WriteLineAsync(UsageError.Of(parsed));
    return UsageError.ExitCode;
}

// These two stop in their own time when asked to: answers are drained, or only the answer is stopped.
bool stopsItself = args is ["serve" or "chat", ..];
return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = stopsItself ? null : TimeSpan.FromSeconds(2) });
