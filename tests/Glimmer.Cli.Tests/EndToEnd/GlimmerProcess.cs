using System.Diagnostics;
using System.Text;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>What a run of the program left: exit code and output.</summary>
internal sealed record ProgramRun(int ExitCode, string Output, string Errors)
{
    /// <summary>The run must have failed in the documented way: one line that names what is wrong, and no stack trace.</summary>
    public void AssertOneClearLine(int exitCode, params string[] parts)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode} instead of {exitCode}:\n{Errors}\n{Output}");
        string line = Assert.Single(Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        foreach (string part in parts)
            Assert.Contains(part, line, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", line, StringComparison.Ordinal);
    }
}

/// <summary>The <c>glimmer</c> program as users start it: a process of its own, in a folder of its own.</summary>
internal sealed class GlimmerProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = Eventually.Patience;
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _reading;
    private readonly Task _readingErrors;

    private GlimmerProcess(Process process, string? input)
    {
        _process = process;
        _reading = ReadAsync();
        _readingErrors = ReadErrorsAsync();
        if (input is not null)
            process.StandardInput.Write(input);
        process.StandardInput.Close();
    }

    /// <summary>What was written to standard output so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    /// <summary>What was written to standard error so far.</summary>
    public string Errors
    {
        get
        {
            lock (_errors)
                return _errors.ToString();
        }
    }

    /// <summary>Starts the program.</summary>
    public static GlimmerProcess Start(string folder, string[] arguments, string? input = null, params (string Name, string Value)[] environment)
    {
        ProcessStartInfo start = new("dotnet")
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false),
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "glimmer.dll"));
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("GLIMMER", StringComparison.OrdinalIgnoreCase)).ToArray())
            start.Environment.Remove(name);

        // One that is killed would leave the runtime's sockets for debuggers in the temporary folder.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return new GlimmerProcess(Process.Start(start)!, input);
    }

    /// <summary>Runs the program to its end.</summary>
    public static async Task<ProgramRun> RunAsync(string folder, string[] arguments, string? input = null, params (string Name, string Value)[] environment)
    {
        await using GlimmerProcess process = Start(folder, arguments, input, environment);
        return await process.EndAsync();
    }

    /// <summary>Waits for the banner of <c>serve</c>.</summary>
    public async Task ReadyAsync()
    {
        await Task.WhenAny(_ready.Task, _reading).WaitAsync(Patience);
        if (!_ready.Task.IsCompleted)
            Assert.Fail("the server ended before it was ready: " + (await EndAsync()).Errors);
    }

    /// <summary>Sends Ctrl-C.</summary>
    public void Interrupt() => Process.Start("kill", ["-INT", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)])!.WaitForExit();

    /// <summary>Waits for the end.</summary>
    public async Task<ProgramRun> EndAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Patience);
        await Task.WhenAll(_reading, _readingErrors);
        return new ProgramRun(_process.ExitCode, Output, Errors);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task ReadAsync()
    {
        char[] buffer = new char[4096];
        while (await _process.StandardOutput.ReadAsync(buffer) is > 0 and int count)
        {
            lock (_output)
                _output.Append(buffer, 0, count);
            if (Output.Contains("Ctrl-C stops it.", StringComparison.Ordinal))
                _ready.TrySetResult();
        }
    }

    private async Task ReadErrorsAsync()
    {
        char[] buffer = new char[4096];
        while (await _process.StandardError.ReadAsync(buffer) is > 0 and int count)
        {
            lock (_errors)
                _errors.Append(buffer, 0, count);
        }
    }
}

/// <summary>A temporary folder for the programs of a test.</summary>
public abstract class ProgramTests : IDisposable
{
    /// <summary>Where the programs run.</summary>
    protected string Folder { get; } = Directory.CreateTempSubdirectory("glimmer-program-").FullName;

    /// <summary>The bundled model.</summary>
    protected static string Model => Fixtures.BundledModel;

    /// <inheritdoc/>
    public void Dispose()
    {
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Writes a file into the folder and gives its path.</summary>
    protected string Write(string name, string text)
    {
        string path = Path.Combine(Folder, name);

        // At once, for programs that look at the file meanwhile.
        File.WriteAllText(path + ".writing", text);
        File.Move(path + ".writing", path, overwrite: true);
        return path;
    }

    /// <summary>Runs the program without input.</summary>
    internal Task<ProgramRun> RunAsync(params string[] arguments) => GlimmerProcess.RunAsync(Folder, arguments);
}
