using System.CommandLine;
using Glimmer.Cli.Commands;

RootCommand root = new("Glimmer: the GLM open platform on your own hardware.")
{
    KeysCommand.Create(),
    PullCommand.Create(),
    ModelsCommand.Create(),
    ModelsCommand.CreateVerify(),
    GoldenCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
