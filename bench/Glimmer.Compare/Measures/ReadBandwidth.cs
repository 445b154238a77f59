using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Glimmer.Compare.Contenders;
using Glimmer.Compare.Processes;

namespace Glimmer.Compare.Measures;

/// <summary>How fast the machine reads memory: the ceiling of decoding, where every weight is read once per token.</summary>
internal static partial class ReadBandwidth
{
    private const nuint Span = 512u << 20; // per thread, well beyond every cache
    private const nuint Ahead = 4096;
    private const nuint HugePage = 2u << 20;
    private const int AdviseHugePages = 14;

    /// <summary>Measures in a process of its own, on the cores of the contenders. GB/s, the best of some passes.</summary>
    public static async Task<double> MeasureAsync(Cores cores, int threads, TimeSpan limit)
    {
        ProgramCall call = new("dotnet", [typeof(ReadBandwidth).Assembly.Location, "read", threads.ToString(CultureInfo.InvariantCulture)]);
        return double.Parse(await FinishedProcess.RunAsync(cores.Start(call, threads), limit), NumberStyles.Float, CultureInfo.InvariantCulture);
    }

    /// <summary>The measurement itself.</summary>
    public static unsafe double Run(int threads)
    {
        byte*[] spans = new byte*[threads];
        for (int i = 0; i < threads; i++)
        {
            spans[i] = (byte*)NativeMemory.AlignedAlloc(Span, HugePage);
            if (OperatingSystem.IsLinux())
                _ = Advise(spans[i], Span, AdviseHugePages); // a hint: the ceiling is with them where the system has them
            NativeMemory.Fill(spans[i], Span, 1);
        }

        double best = 0;
        for (int pass = 0; pass < 5; pass++)
        {
            using Barrier barrier = new(threads + 1);
            long ended = 0;
            Thread[] team = new Thread[threads];
            for (int i = 0; i < threads; i++)
            {
                byte* span = spans[i];
                team[i] = new Thread(() =>
                {
                    barrier.SignalAndWait();
                    Sum(span, Span);
                    long now = Stopwatch.GetTimestamp();
                    InterlockedMax(ref ended, now);
                });
                team[i].Start();
            }

            long start = Stopwatch.GetTimestamp();
            barrier.SignalAndWait();
            foreach (Thread thread in team)
                thread.Join();
            best = Math.Max(best, threads * (double)Span / Stopwatch.GetElapsedTime(start, ended).TotalSeconds / 1e9);
        }

        foreach (byte* span in spans)
            NativeMemory.AlignedFree(span);
        return best;
    }

    private static unsafe ulong Sum(byte* from, nuint length)
    {
        Vector512<ulong> a = default, b = default, c = default, d = default;
        for (nuint i = 0; i < length; i += 256)
        {
            if (Sse.IsSupported)
            {
                Sse.Prefetch0(from + i + Ahead);
                Sse.Prefetch0(from + i + Ahead + 64);
                Sse.Prefetch0(from + i + Ahead + 128);
                Sse.Prefetch0(from + i + Ahead + 192);
            }

            a += Vector512.Load((ulong*)(from + i));
            b += Vector512.Load((ulong*)(from + i + 64));
            c += Vector512.Load((ulong*)(from + i + 128));
            d += Vector512.Load((ulong*)(from + i + 192));
        }

        return Vector512.Sum(a + b + c + d);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static unsafe partial int Advise(void* address, nuint length, int advice);

    private static void InterlockedMax(ref long target, long value)
    {
        long seen = Volatile.Read(ref target);
        while (value > seen)
        {
            long before = Interlocked.CompareExchange(ref target, value, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }
}
