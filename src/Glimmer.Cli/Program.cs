using System.CommandLine;
using Glimmer.Cli.Commands;
using Glimmer.Server.Hosting;

(string Name, Func<Command> Create)[] commands =
[
    ("serve", ServeCommand.Create),
    ("emulate", EmulateCommand.Create),
    ("health", HealthCommand.Create),
    ("chat", ChatCommand.Create),
    ("run", RunCommand.Create),
    ("bench", BenchCommand.Create),
    ("tokenize", TokenizeCommand.Create),
    ("render", RenderCommand.Create),
    ("parse", ParseCommand.Create),
    ("grammar", GrammarCommand.Create),
    ("inspect", InspectCommand.Create),
    ("quantize", QuantizeCommand.Create),
    ("eval", EvalCommand.Create),
    ("accounts", AccountsCommand.Create),
    ("projects", ProjectsCommand.Create),
    ("keys", KeysCommand.Create),
    ("plans", PlansCommand.Create),
    ("usage", UsageCommand.Create),
    ("ledger", LedgerCommand.Create),
    ("catalogue", CatalogueCommand.Create),
    ("audit", AuditCommand.Create),
    ("store", StoreCommand.Create),
    ("nodes", NodesCommand.Create),
    ("backends", BackendsCommand.Create),
    ("pull", PullCommand.Create),
    ("models", ModelsCommand.Create),
    ("configure", ConfigureCommand.Create),
    ("verify", ModelsCommand.CreateVerify),
    ("golden", GoldenCommand.Create),
];

// Only the command that was asked for is built; the others' options would only delay its start.
string? wanted = args.Length > 0 && commands.Any(command => command.Name == args[0]) ? args[0] : null;
if (wanted is "serve" or "emulate")
    GlimmerServer.WarmUp();
RootCommand root = new("Glimmer: the GLM open platform on your own hardware.");
foreach ((string name, Func<Command> create) in commands)
{
    if (wanted is null || name == wanted)
        root.Add(create());
}

// A mistake in the arguments is one line, like every other mistake; the help stays where it was asked for.
ParseResult parsed = root.Parse(args);
if (args.Length > 0 && parsed.Errors.Count > 0)
{
    await Console.Error.WriteLineAsync(UsageError.Of(parsed));
    return UsageError.ExitCode;
}

// These two stop in their own time when asked to: answers are drained, or only the answer is stopped.
bool stopsItself = wanted is "serve" or "emulate" or "chat";
return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = stopsItself ? null : TimeSpan.FromSeconds(2) });
