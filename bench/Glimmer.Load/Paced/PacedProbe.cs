using System.Buffers.Text;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Glimmer.Load.Paced;

/// <summary>What callers of paced answers saw, in milliseconds.</summary>
internal sealed class PacedReadings
{
    /// <summary>From sending the request to reading the first token.</summary>
    public Percentiles First { get; } = new();

    /// <summary>From making a token to reading it, the first left out.</summary>
    public Percentiles Token { get; } = new();

    /// <summary>From making the last token to reading the last byte.</summary>
    public Percentiles Last { get; } = new();

    public void Add(PacedReadings others)
    {
        First.Add(others.First);
        Token.Add(others.Token);
        Last.Add(others.Last);
    }
}

/// <summary>Reads paced answers on bare sockets.</summary>
internal static class PacedProbe
{
    /// <summary>So many answers at once, one after the other on each connection, for so many seconds at most.</summary>
    public static async Task<PacedReadings> RunAsync(Target target, int streams, int answers, int tokens, double rate, double seconds = 3600)
    {
        long end = Stopwatch.GetTimestamp() + (long)(seconds * Stopwatch.Frequency);
        byte[] request = target.Request(PacedQuestion.At(rate), stream: true, tokens);
        PacedReadings all = new();
        PacedReadings[] each = await Task.WhenAll(Enumerable.Range(0, streams).Select(_ => Task.Run(async () =>
        {
            PacedReadings readings = new();
            using Socket socket = await target.ConnectAsync();
            byte[] buffer = new byte[64 << 10];
            for (int i = 0; i < answers && Stopwatch.GetTimestamp() < end; i++)
            {
                long sent = Stopwatch.GetTimestamp();
                await socket.SendAsync(request);
                await ReadAsync(socket, buffer, sent, tokens, readings);
            }

            return readings;
        })));
        foreach (PacedReadings readings in each)
            all.Add(readings);
        return all;
    }

    private static async Task ReadAsync(Socket socket, byte[] buffer, long sent, int tokens, PacedReadings readings)
    {
        int kept = 0, seen = 0;
        long last = 0;
        bool done = false;
        while (true)
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(kept));
            long now = Stopwatch.GetTimestamp();
            if (read == 0)
                throw new InvalidOperationException("The connection was closed: " + Encoding.UTF8.GetString(buffer, 0, kept));
            ReadOnlySpan<byte> text = buffer.AsSpan(0, kept + read);
            if (seen == 0 && !text.StartsWith("HTTP/1.1 200"u8))
                throw new InvalidOperationException(Encoding.UTF8.GetString(text));
            int parsed = 0;
            for (int at; (at = text[parsed..].IndexOf((byte)'@')) >= 0;)
            {
                int start = parsed + at + 1;
                if (!Utf8Parser.TryParse(text[start..], out long made, out int used) || start + used >= text.Length)
                    break;
                parsed = start + used;
                if (seen++ == 0)
                    readings.First.Add(Milliseconds(sent, now));
                else
                    readings.Token.Add(Milliseconds(made, now));
                last = made;
            }

            done |= text[parsed..].IndexOf("[DONE]"u8) >= 0;
            if (done && text.EndsWith("\r\n0\r\n\r\n"u8))
            {
                if (seen != tokens)
                    throw new InvalidOperationException($"{seen} of {tokens} tokens came.");
                readings.Last.Add(Milliseconds(last, now));
                return;
            }

            // The beginning of a stamp, of [DONE] or of the end may lie at the end.
            int keep = Math.Min(text.Length - parsed, 32);
            text[^keep..].CopyTo(buffer);
            kept = keep;
        }
    }

    private static double Milliseconds(long from, long to) => (to - from) * 1000.0 / Stopwatch.Frequency;
}
