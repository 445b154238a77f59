using System.Diagnostics;

namespace Glimmer.Load;

/// <summary>A process that runs beside a measurement and ends with it.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private readonly Process _process;

    private ChildProcess(Process process) => _process = process;

    public StreamReader Output => _process.StandardOutput;

    public int Id => _process.Id;

    /// <summary>Starts a program, behind a prefix such as <c>taskset -c 2,3</c> that a variable may hold.</summary>
    public static ChildProcess Start(string? prefixVariable, string[] command, params (string Name, string Value)[] environment)
    {
        string prefix = prefixVariable is null ? "" : Environment.GetEnvironmentVariable(prefixVariable) ?? "";
        string[] all = [.. prefix.Split(' ', StringSplitOptions.RemoveEmptyEntries), .. command];
        ProcessStartInfo info = new(all[0], all[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false };
        foreach ((string name, string value) in environment)
            info.Environment[name] = value;
        Process process = Process.Start(info)!;
        process.ErrorDataReceived += (_, line) =>
        {
            if (Environment.GetEnvironmentVariable("GLIMMER_LOAD_VERBOSE") is not null && line.Data is not null)
                Console.Error.WriteLine(line.Data);
        };
        process.BeginErrorReadLine();
        return new ChildProcess(process);
    }

    /// <summary>Starts this program in another mode.</summary>
    public static ChildProcess StartSelf(string? prefixVariable, params string[] arguments) =>
        Start(prefixVariable, ["dotnet", Path.Combine(AppContext.BaseDirectory, "Glimmer.Load.dll"), .. arguments]);

    /// <summary>The next line of the output.</summary>
    public async Task<string> ReadLineAsync() => await Output.ReadLineAsync() ?? throw new InvalidOperationException("The process ended; GLIMMER_LOAD_VERBOSE=1 shows why.");

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(3000))
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
