using System.Diagnostics;

namespace Glimmer.Compare.Processes;

/// <summary>A program that was run to its end.</summary>
internal static class FinishedProcess
{
    /// <summary>Runs it and returns its standard output.</summary>
    /// <exception cref="InvalidOperationException">It failed or took longer than <paramref name="limit"/>; the message has the end of its errors.</exception>
    public static async Task<string> RunAsync(ProcessStartInfo info, TimeSpan limit)
    {
        using Process process = Process.Start(info)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        using CancellationTokenSource timer = new(limit);
        try
        {
            await process.WaitForExitAsync(timer.Token);
        }
        catch (OperationCanceledException late)
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"it took longer than {limit.TotalSeconds:0} s", late);
        }

        string said = await errors;
        return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"it ended with code {process.ExitCode}: {said[Math.Max(0, said.Length - 300)..].ReplaceLineEndings(" ")}");
    }
}
