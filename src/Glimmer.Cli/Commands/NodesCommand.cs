using System.CommandLine;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer nodes</c>: the processes that share a PostgreSQL.</summary>
internal static class NodesCommand
{
    public static Command Create() => new AdminFamily("nodes", "Show the nodes that share the store.", ofAccount: false)
        .Leaf("list", "List nodes with epoch, lease and what they hold of shared limits.", "GET /nodes", [])
        .Command;
}
