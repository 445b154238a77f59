using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Load.Paced;

/// <summary>
/// The process that is measured: the whole platform with <see cref="PacedBackend"/>, and <see cref="PacedUpstream"/> beside it on the same engine. Prints an address and a key, an
/// address, and runs until its input ends.
/// </summary>
internal static class PacedHost
{
    public static async Task RunAsync(bool platform, bool together)
    {
        using PacedTokens tokens = new(together);
        await using PacedUpstream upstream = await PacedUpstream.StartAsync(tokens);
        string data = Directory.CreateTempSubdirectory("glimmer-paced-").FullName;
        try
        {
            if (platform)
            {
                PacedBackend backend = new(tokens);
                ChatBackendSlot slot = new();
                slot.Fill([backend], backend);
                GlimmerOptions options = new() { Port = 0, DataFolder = data, MaxOpenRequests = 2000, MaxOpenRequestsPerKey = 2000, LogLevel = Enum.Parse<LogLevel>(Environment.GetEnvironmentVariable("GLIMMER__LOG__LEVEL") ?? "Information") };
                if (string.Equals(Environment.GetEnvironmentVariable("GLIMMER__STORE__DURABILITY"), "normal", StringComparison.OrdinalIgnoreCase))
                    options = options with { StoreDurability = Glimmer.Platform.Store.StoreDurability.Normal };
                await using GlimmerServer server = GlimmerServer.Create(options, slot);
                await server.StartAsync();
                Console.WriteLine($"{server.Addresses[0]} {server.FirstKey!.Value.Credential}");
                Console.WriteLine($"{upstream.Address} -");
                await Console.In.ReadToEndAsync();
            }
            else
            {
                Console.WriteLine($"{upstream.Address} -");
                await Console.In.ReadToEndAsync();
            }
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }
}
