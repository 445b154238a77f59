using System.Diagnostics;
using System.Globalization;

namespace Glimmer.Testing;

/// <summary>
/// A real PostgreSQL server of this test run, started once per process when a test first asks for it: the installed
/// package, an empty cluster in a temporary folder, a free port on loopback, no passwords. It ends with the process.
/// </summary>
public static class PostgresServer
{
    private static readonly Lazy<PostgresCluster> _cluster = new(PostgresCluster.Start);
    private static int _schemas;

    /// <summary>Why there is no server; null when there is one.</summary>
    public static string? Missing => _cluster.Value.Missing;

    /// <summary>A connection string whose search path is a schema that no other test has. The schema must be made.</summary>
    /// <param name="schema">Its name.</param>
    public static string ConnectionString(out string schema)
    {
        schema = $"test_{Interlocked.Increment(ref _schemas)}";
        return $"{Administration};Search Path={schema};Application Name={schema}";
    }

    /// <summary>A connection string of the server's own database.</summary>
    public static string Administration =>
        _cluster.Value.Missing is { } missing ? throw new InvalidOperationException(missing) : _cluster.Value.ConnectionString;

    /// <summary>Stops the server at once, as a crash would, and starts it again on the same data and port.</summary>
    public static void CrashAndRestart() => _cluster.Value.Restart();
}

/// <summary>A PostgreSQL server of its own, for a test that stops it.</summary>
public sealed class PostgresCluster : IDisposable
{
    private readonly string _folder = "";
    private readonly string _programs = "";
    private Process? _process;

    private PostgresCluster(string missing) => Missing = missing;

    private PostgresCluster(string programs, string folder, int port)
    {
        _programs = programs;
        _folder = folder;
        Port = port;
    }

    /// <summary>Why there is no server; null when there is one.</summary>
    public string? Missing { get; }

    /// <summary>Where it listens, on loopback.</summary>
    public int Port { get; }

    /// <summary>Its own database, whose public schema is empty.</summary>
    public string ConnectionString => $"Host=127.0.0.1;Port={Port};Username=glimmer;Database=postgres;Include Error Detail=true";

    /// <summary>Makes a cluster and starts its server.</summary>
    public static PostgresCluster Start()
    {
        if (Programs() is not { } programs)
            return new PostgresCluster("PostgreSQL is not installed (Debian: apt-get install postgresql; test.sh does it).");
        if (OperatingSystem.IsWindows())
            return new PostgresCluster("PostgreSQL tests run on Unix only.");
        bool root = Environment.UserName == "root";
        if (root && Run("id", ["postgres"]).Code != 0)
            return new PostgresCluster("PostgreSQL refuses to run as root, and there is no user postgres.");
        string folder = Directory.CreateTempSubdirectory("glimmer-pg-").FullName;
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_111_111);
        var cluster = new PostgresCluster(programs, folder, LoopbackPorts.Take());
        (int code, string output) = cluster.RunAsServer(
            Path.Combine(programs, "initdb"), ["-D", Path.Combine(folder, "data"), "-U", "glimmer", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]);
        if (code != 0)
            return new PostgresCluster($"initdb failed: {output}");
        return cluster.Launch() is { } fault ? new PostgresCluster(fault) : cluster;
    }

    /// <summary>Stops the server at once, as a crash would, and starts it again on the same data and port.</summary>
    public void Restart()
    {
        Halt();
        Resume();
    }

    /// <summary>Stops the server at once, as a crash would. Nobody listens until <see cref="Resume"/>.</summary>
    public void Halt()
    {
        string pid = File.ReadLines(Path.Combine(_folder, "data", "postmaster.pid")).First();
        (int code, string output) = RunAsServer("kill", ["-QUIT", pid]);
        if (code != 0 || !_process!.WaitForExit(Eventually.Patience))
            throw new InvalidOperationException($"PostgreSQL did not stop: {output}");
    }

    /// <summary>Starts the server again on the same data and port.</summary>
    public void Resume()
    {
        if (Launch() is { } fault)
            throw new InvalidOperationException(fault);
    }

    /// <inheritdoc/>
    public void Dispose() => Stop();

    private string? Launch()
    {
        // The shell waits for the end of its input, which comes also when this process is killed, and leaves nothing behind then. A server that was halted keeps its data.
        string server =
            $"'{_programs}/postgres' -D '{_folder}/data' -p {Port} -h 127.0.0.1 -k '{_folder}' -c fsync=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=32MB >'{_folder}/log' 2>&1 & "
            + $"p=$!; (read -r end; : >'{_folder}/over'; kill -QUIT $p) <&3 & w=$!; wait $p; kill $w; if [ -e '{_folder}/over' ]; then rm -rf '{_folder}'; fi";
        (string program, List<string> arguments) = AsServer("sh", ["-c", $"exec 3<&0 2>/dev/null; {server}"]);
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, UseShellExecute = false, WorkingDirectory = _folder };
        _process = Process.Start(start)!;
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < Eventually.Patience)
        {
            if (Run(Path.Combine(_programs, "pg_isready"), ["-h", "127.0.0.1", "-p", Port.ToString(CultureInfo.InvariantCulture)]).Code == 0)
                return null;
            if (_process.HasExited)
                break;
            Thread.Sleep(100);
        }

        return $"PostgreSQL did not start: {(File.Exists($"{_folder}/log") ? File.ReadAllText($"{_folder}/log") : "no log")}";
    }

    private void Stop()
    {
        try
        {
            _process?.StandardInput.Close();
            _process?.WaitForExit(20_000);
            Directory.Delete(_folder, recursive: true);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            // The end of a test run: a folder left in the temporary folder harms nobody.
        }
    }

    private (int Code, string Output) RunAsServer(string program, string[] arguments)
    {
        (string name, List<string> list) = AsServer(program, arguments);
        return Run(name, list, _folder);
    }

    private static (string Program, List<string> Arguments) AsServer(string program, string[] arguments) => Environment.UserName == "root"
        ? ("runuser", ["-u", "postgres", "--", program, .. arguments])
        : (program, [.. arguments]);

    private static (int Code, string Output) Run(string program, IReadOnlyList<string> arguments, string? folder = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = folder ?? "/" };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.GetAwaiter().GetResult());
    }

    private static string? Programs()
    {
        if (Directory.Exists("/usr/lib/postgresql"))
        {
            foreach (string version in Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(folder => folder, StringComparer.Ordinal))
            {
                if (File.Exists(Path.Combine(version, "bin", "postgres")))
                    return Path.Combine(version, "bin");
            }
        }

        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, "postgres")) && File.Exists(Path.Combine(folder, "initdb")));
    }
}
