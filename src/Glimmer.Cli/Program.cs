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

// These two stop in their own time when asked to: answers are drained, or only the answer is stopped.
bool stopsItself = args is ["serve" or "chat", ..];
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = stopsItself ? null : TimeSpan.FromSeconds(2) });
