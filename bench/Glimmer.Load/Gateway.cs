using System.Buffers.Text;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Glimmer.Load;

/// <summary>
/// What the server itself costs, without a model: a scenario answers (docs/script.md), everything else is real: keys, admission, ledger, dialect. The caller is a bare socket, so
/// that little of the time is its own.
/// </summary>
internal static class Gateway
{
    private const string Scenario = """
        models: [glm-4.7]
        rules:
          - when: { last: stream }
            reply: { text: "word ", repeat: 2000 }
          - when: { last: brief }
            reply: { text: "word ", repeat: 20 }
          - when: { last: slow }
            reply: { text: "word ", repeat: 4000, rate: 0.5 }
          - when: { last: steady }
            reply: { text: "word ", repeat: 4000, rate: 10 }
        fallback: Fine.
        """;

    private static int Warm => int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_LOAD_WARM"), out int asked) ? asked : 20;

    /// <summary>Measures and prints.</summary>
    /// <param name="program">A glimmer.dll.</param>
    /// <param name="seconds">Time of each part.</param>
    /// <param name="parts">Which parts: answers, events, memory, allocations; all when empty.</param>
    public static async Task RunAsync(string program, int seconds, IReadOnlyList<string> parts)
    {
        string scenario = Path.Combine(Path.GetTempPath(), $"glimmer-gateway-{Environment.ProcessId}.yaml");
        await File.WriteAllTextAsync(scenario, Scenario);
        bool Wants(string part) => parts.Count == 0 || parts.Contains(part, StringComparer.Ordinal);
        try
        {
            if (Wants("memory"))
            {
                foreach ((string question, string title) in ((string, string)[])[("slow", "idle"), ("steady", "10 tokens/s each")])
                {
                    await using ServerProcess fresh = await ServerProcess.EmulateAsync(program, scenario);
                    await OpenStreams.RunAsync(fresh, Request(fresh, question, stream: true), 1000, title);
                }
            }

            await using ServerProcess server = await ServerProcess.EmulateAsync(program, scenario);
            byte[] plain = Request(server, "hello", stream: false), stream = Request(server, "stream", stream: true), brief = Request(server, "brief", stream: true);
            if (Wants("answers") || Wants("events"))
            {
                // A server runs for days; it takes some ten thousand requests until all of its code is compiled at its best.
                (List<double> warm, double time) = await PlainAsync(server, plain, 64, Warm);
                Console.WriteLine($"{$"warming for {Warm} s, 64 connections",-52} {warm.Count / time,10:0} requests/s");
                await StreamsAsync(server, stream, 16, 2);
            }

            if (Wants("answers"))
            {
                foreach (int connections in (int[])[1, 16, 64])
                    await PrintPlainAsync(server, plain, connections, seconds);
            }

            if (Wants("events"))
            {
                (long events, double time) = await StreamsAsync(server, stream, 16, seconds);
                Console.WriteLine($"{"events of 16 streams",-52} {events / time,10:0} events/s");
            }

            if (Wants("allocations"))
            {
                await PrintAllocationsAsync(server, "answers, allocated", () => OneAfterAnotherAsync(server, plain, 2000, ReadPlainAsync));
                await PrintAllocationsAsync(server, "streams of 20 events, allocated", () => OneAfterAnotherAsync(server, brief, 2000, (socket, buffer) => ReadStreamAsync(socket, buffer)));
            }
        }
        finally
        {
            File.Delete(scenario);
        }
    }

    private static async Task PrintAllocationsAsync(ServerProcess server, string title, Func<Task> requests)
    {
        await requests(); // paths compiled
        double first = (await server.MetricsAsync())["dotnet_gc_heap_total_allocated_bytes_total"];
        double before = (await server.MetricsAsync())["dotnet_gc_heap_total_allocated_bytes_total"]; // asking allocates, too: taken off below
        await requests();
        double after = (await server.MetricsAsync())["dotnet_gc_heap_total_allocated_bytes_total"];
        Console.WriteLine($"{title,-52} {(after - before - (before - first)) / 2000 / 1024,10:0.00} KiB each");
    }

    private static async Task OneAfterAnotherAsync(ServerProcess server, byte[] request, int count, Func<Socket, byte[], Task> read)
    {
        using Socket socket = await ConnectAsync(server);
        byte[] buffer = new byte[256 << 10];
        for (int i = 0; i < count; i++)
        {
            await socket.SendAsync(request);
            await read(socket, buffer);
        }
    }

    private static async Task PrintPlainAsync(ServerProcess server, byte[] request, int connections, int seconds)
    {
        TimeSpan before = server.ProcessorTime;
        (List<double> times, double elapsed) = await PlainAsync(server, request, connections, seconds);
        double processor = (server.ProcessorTime - before).TotalSeconds;
        times.Sort();
        Console.WriteLine(
            $"{$"answers, {connections} connections",-52} {times.Count / elapsed,10:0} requests/s, p50 {times[times.Count / 2]:0.000} ms, p99 {times[(int)(times.Count * 0.99)]:0.000} ms, {processor / times.Count * 1e6:0.0} µs of processor each");
    }

    /// <summary>Sends requests one after the other on each connection; gives the milliseconds of each.</summary>
    private static async Task<(List<double> Times, double Seconds)> PlainAsync(ServerProcess server, byte[] request, int connections, int seconds)
    {
        long start = Stopwatch.GetTimestamp(), end = start + seconds * Stopwatch.Frequency;
        List<double>[] all = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
        {
            List<double> times = [];
            using Socket socket = await ConnectAsync(server);
            byte[] buffer = new byte[64 << 10];
            while (Stopwatch.GetTimestamp() < end)
            {
                long sent = Stopwatch.GetTimestamp();
                await socket.SendAsync(request);
                await ReadPlainAsync(socket, buffer);
                times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            }

            return times;
        })));
        return ([.. all.SelectMany(times => times)], Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private static async Task<(long Events, double Seconds)> StreamsAsync(ServerProcess server, byte[] request, int connections, int seconds)
    {
        long start = Stopwatch.GetTimestamp(), end = start + seconds * Stopwatch.Frequency;
        long[] all = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
        {
            long events = 0;
            using Socket socket = await ConnectAsync(server);
            byte[] buffer = new byte[256 << 10];
            while (Stopwatch.GetTimestamp() < end)
            {
                await socket.SendAsync(request);
                events += await ReadStreamAsync(socket, buffer);
            }

            return events;
        })));
        return (all.Sum(), Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    internal static async Task<Socket> ConnectAsync(ServerProcess server)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server.Address.Host, server.Address.Port);
        return socket;
    }

    private static async Task ReadPlainAsync(Socket socket, byte[] buffer)
    {
        int length = 0;
        while (true)
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(length));
            if (read == 0)
                throw new InvalidOperationException("The server closed the connection: " + Encoding.UTF8.GetString(buffer, 0, length));
            length += read;
            ReadOnlySpan<byte> text = buffer.AsSpan(0, length);
            int head = text.IndexOf("\r\n\r\n"u8);
            if (head < 0)
                continue;
            if (!text.StartsWith("HTTP/1.1 200"u8))
                throw new InvalidOperationException(Encoding.UTF8.GetString(text));
            int at = text.IndexOf("Content-Length: "u8) + 16;
            if (Utf8Parser.TryParse(text[at..], out int body, out _) && length >= head + 4 + body)
                return;
        }
    }

    /// <summary>Reads an answer in chunks to its end; gives the events, told by their first bytes.</summary>
    private static async Task<int> ReadStreamAsync(Socket socket, byte[] buffer)
    {
        int events = 0, kept = 0;
        while (true)
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(kept));
            if (read == 0)
                throw new InvalidOperationException("The server closed the connection.");
            ReadOnlySpan<byte> text = buffer.AsSpan(0, kept + read);
            bool done = text.IndexOf("0\r\n\r\n"u8) is var end && end >= 0 && text.IndexOf("[DONE]"u8) >= 0 && end > text.IndexOf("[DONE]"u8);
            ReadOnlySpan<byte> counted = text;
            for (int at; (at = counted.IndexOf("data: {"u8)) >= 0; counted = counted[(at + 7)..])
                events++;
            if (done)
                return events;

            // What may be the beginning of something is looked at again with what follows.
            int tail = Math.Min(counted.Length, text.IndexOf("[DONE]"u8) >= 0 ? text.Length - text.IndexOf("[DONE]"u8) : 6);
            text[^tail..].CopyTo(buffer);
            kept = tail;
        }
    }

    private static byte[] Request(ServerProcess server, string text, bool stream)
    {
        string body = $$"""{"model":"glm-4.7","thinking":{"type":"disabled"},"stream":{{(stream ? "true" : "false")}},"messages":[{"role":"user","content":"{{text}}"}]}""";
        return Encoding.UTF8.GetBytes(
            $"POST /api/paas/v4/chat/completions HTTP/1.1\r\nHost: {server.Address.Authority}\r\nAuthorization: Bearer {server.Key}\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");
    }
}
