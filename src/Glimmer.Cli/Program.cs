using System.CommandLine;
using Glimmer.Cli.Commands;

RootCommand root = new("Glimmer: the GLM open platform on your own hardware.")
{
    GoldenCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
