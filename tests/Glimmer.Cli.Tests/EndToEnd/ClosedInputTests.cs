using System.Diagnostics;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>Programs are started without a standard input by some supervisors and by <c>&lt;&amp;-</c>: that is no input, and nothing to wait for.</summary>
public sealed class ClosedInputTests : ProgramTests
{
    [Fact]
    public async Task Without_an_input_there_is_nothing_to_ask()
    {
        (int code, string errors) = await RunShellAsync("exec dotnet \"$1\" run <&-");
        Assert.Equal(64, code);
        Assert.Contains("nothing to ask", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_piped_in_is_still_read()
    {
        (int code, string errors) = await RunShellAsync("printf '   ' | dotnet \"$1\" run 3<&0");
        Assert.Equal(64, code);
        Assert.Contains("nothing to ask", errors, StringComparison.Ordinal);
        (code, string _) = await RunShellAsync($"printf 'Say something.' | dotnet \"$1\" run --model '{Model}' --max-tokens 2 --threads 1 3<&0");
        Assert.Equal(0, code);
    }

    private async Task<(int Code, string Errors)> RunShellAsync(string script)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Looks at /proc.");
        ProcessStartInfo start = new("sh", ["-c", script, "sh", Path.Combine(AppContext.BaseDirectory, "glimmer.dll")])
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().WaitAsync(Eventually.Patience);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }

        await output;
        return (process.ExitCode, await errors);
    }
}
