using System.Buffers.Text;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Glimmer.Load;

/// <summary>Whole answers, as many as come, one after the other on each connection.</summary>
internal static class PlainLoad
{
    public static Task<(Percentiles Times, double PerSecond)> RunAsync(Target target, string question, int connections, double seconds, int maxTokens = 0) =>
        RunAsync(target, target.Request(question, stream: false, maxTokens), connections, seconds);

    /// <summary>Sends one request again and again.</summary>
    public static async Task<(Percentiles Times, double PerSecond)> RunAsync(Target target, byte[] request, int connections, double seconds)
    {
        long start = Stopwatch.GetTimestamp(), end = start + (long)(seconds * Stopwatch.Frequency);
        Percentiles all = new();
        foreach (Percentiles times in await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
        {
            Percentiles mine = new();
            using Socket socket = await target.ConnectAsync();
            byte[] buffer = new byte[64 << 10];
            while (Stopwatch.GetTimestamp() < end)
            {
                long sent = Stopwatch.GetTimestamp();
                await socket.SendAsync(request);
                await ReadAsync(socket, buffer);
                mine.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            }

            return mine;
        }))))
        {
            all.Add(times);
        }

        return (all, all.Count / Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>Reads an answer with a length, or in chunks to the empty one.</summary>
    private static async Task ReadAsync(Socket socket, byte[] buffer)
    {
        int length = 0;
        while (true)
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(length));
            if (read == 0)
                throw new InvalidOperationException("The connection was closed: " + Encoding.UTF8.GetString(buffer, 0, Math.Min(length, 500)));
            length += read;
            ReadOnlySpan<byte> text = buffer.AsSpan(0, length);
            int head = text.IndexOf("\r\n\r\n"u8);
            if (head < 0)
                continue;
            if (!text.StartsWith("HTTP/1.1 200"u8))
                throw new InvalidOperationException(Encoding.UTF8.GetString(text));
            int at = IndexOfLength(text[..head]);
            if (at < 0 ? text.EndsWith("0\r\n\r\n"u8) : Utf8Parser.TryParse(text[at..], out int body, out _) && length >= head + 4 + body)
                return;
        }
    }

    private static int IndexOfLength(ReadOnlySpan<byte> head)
    {
        foreach (byte[] name in _names)
        {
            if (head.IndexOf(name) is >= 0 and var at)
                return at + name.Length;
        }

        return -1;
    }

    private static readonly byte[][] _names = ["Content-Length: "u8.ToArray(), "content-length: "u8.ToArray()];
}
