using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Nodes;
using Glimmer.Server.Accounts;

namespace Glimmer.Server.Admin;

/// <summary>The nodes that share the store.</summary>
internal static class NodeOperations
{
    public static AdminOperation[] All { get; } =
    [
        new("GET", "/nodes", "Lists the nodes that share the store: name, epoch, lease, and what they hold of shared limits. None on SQLite.", ListAsync),
    ];

    private static async Task<Outcome<JsonNode?>> ListAsync(AdminCall call)
    {
        IReadOnlyList<NodeStanding> nodes = await Task.Run(() => NodeShare.List(call.Platform.Accounts.Store), call.Cancel);
        return AccountJson.List(nodes, node => new JsonObject
        {
            ["id"] = node.Id,
            ["name"] = node.Name,
            ["epoch"] = node.Epoch,
            ["version"] = node.Version,
            ["shared"] = node.IsShared,
            ["started"] = node.Started.ToUnixTimeMilliseconds(),
            ["lease_seconds"] = Math.Round(node.LeaseLeft.TotalSeconds, 1),
            ["limits"] = node.Limits,
            ["units"] = node.Units,
        });
    }
}
