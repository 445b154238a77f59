using System.Net.Sockets;

namespace Glimmer.Load;

/// <summary>What many open streams cost in memory.</summary>
internal static class OpenStreams
{
    /// <summary>Opens streams and prints what the process holds, before, meanwhile and after.</summary>
    public static async Task RunAsync(ServerProcess server, byte[] request, int count, string title)
    {
        await PrintAsync(server, "no stream");
        await HoldAsync(server, request, 1, ""); // code that any stream needs
        await HoldAsync(server, request, count, $"{count} streams, {title}");
        await PrintAsync(server, "after them");
    }

    private static async Task HoldAsync(ServerProcess server, byte[] request, int count, string title)
    {
        List<Socket> open = [];
        using CancellationTokenSource done = new();
        try
        {
            byte[] buffer = new byte[4096];
            for (int i = 0; i < count; i++)
            {
                Socket socket = await Gateway.ConnectAsync(server);
                open.Add(socket);
                await socket.SendAsync(request);
            }

            foreach (Socket socket in open)
            {
                if (await socket.ReceiveAsync(buffer) == 0)
                    throw new InvalidOperationException("A stream was closed.");
            }

            Task[] reading = [.. open.Select(socket => DrainAsync(socket, done.Token))];
            await Task.Delay(4000);
            if (count > 1)
                await PrintAsync(server, title);
            await done.CancelAsync();
            await Task.WhenAll(reading);
        }
        finally
        {
            open.ForEach(socket => socket.Dispose());
        }

        await Task.Delay(500);
    }

    private static async Task DrainAsync(Socket socket, CancellationToken done)
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer, done) > 0)
            {
                // What they say does not matter.
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static async Task PrintAsync(ServerProcess server, string title)
    {
        Dictionary<string, double> metrics = await server.MetricsAsync();
        double heap = metrics.Where(sample => sample.Key.StartsWith("dotnet_gc_last_collection_heap_size", StringComparison.Ordinal)).Sum(sample => sample.Value);
        double committed = metrics.GetValueOrDefault("dotnet_gc_last_collection_memory_committed_size_bytes");
        (long anonymous, long file) = server.ResidentParts;
        Console.WriteLine(
            $"{$"memory, {title}",-52} {server.ResidentBytes / 1048576.0,10:0.0} MiB resident (private {anonymous / 1048576.0:0.0}, mapped files {file / 1048576.0:0.0}); managed heap at the last collection {heap / 1048576.0:0.0}, committed {committed / 1048576.0:0.0}, collections {metrics.Where(sample => sample.Key.StartsWith("dotnet_gc_collections", StringComparison.Ordinal)).Sum(sample => sample.Value):0}");
    }
}
