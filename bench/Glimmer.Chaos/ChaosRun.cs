using System.Diagnostics;
using System.Globalization;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Testing;
using Npgsql;

namespace Glimmer.Chaos;

/// <summary>
/// Several nodes on one PostgreSQL under load, killed and started again, and the database stopped and restarted, by a seed. At the end every
/// request has one clear outcome, no answer went to another request, and the books hold each answered request once and no other twice.
/// </summary>
public static class ChaosRun
{
    /// <summary>Makes a run.</summary>
    /// <exception cref="NotSupportedException">There is no PostgreSQL; the message says why.</exception>
    public static async Task<ChaosReport> RunAsync(ChaosSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        using var postgres = PostgresCluster.Start();
        if (postgres.Missing is { } reason)
            throw new NotSupportedException(reason);
        string folder = Directory.CreateTempSubdirectory("glimmer-chaos-").FullName;
        var report = new ChaosReport();
        Node[] nodes = [.. Enumerable.Range(0, settings.Nodes).Select(i => new Node(Path.Combine(folder, $"node{i}"), postgres.ConnectionString, LoopbackPorts.Take(), i == 0 ? settings.Former : null))];
        try
        {
            (List<string> keys, Money funds) = await PrepareAsync(nodes[0].Data, postgres.ConnectionString);
            string plans = PlansText();
            foreach (Node node in nodes)
            {
                Directory.CreateDirectory(node.Data);
                await File.WriteAllTextAsync(Path.Combine(node.Data, PlanRules.FileName), plans);
                if (node != nodes[0])
                    File.Copy(Path.Combine(nodes[0].Data, "protection.key"), Path.Combine(node.Data, "protection.key"));
                node.Start();
            }

            foreach (Node node in nodes)
                await node.ReadyAsync();
            int number = 0;
            ChaosClient[] clients = [.. Enumerable.Range(0, settings.Clients).Select(i =>
                new ChaosClient(report, [.. nodes.Select(node => node.Address)], keys, new Random((settings.Seed * 1000) + i), () => Interlocked.Increment(ref number)))];
            using (var stop = new CancellationTokenSource())
            {
                Task load = Task.WhenAll(clients.Select(client => Task.Run(() => client.RunAsync(stop.Token))));
                await DisturbAsync(settings, report, nodes, postgres);

                // A slow machine has asked little meanwhile: the load goes on until each kind of request was taken, or had its time.
                for (var watch = Stopwatch.StartNew(); watch.Elapsed < Eventually.Patience && report.Taken.Count < ChaosClient.Kinds;)
                    await Task.Delay(100);
                await stop.CancelAsync();
                await load;
            }

            foreach (Node node in nodes)
                await node.ReadyAsync();
            await Task.WhenAll(clients.Select(client => client.FetchAsync(TimeSpan.FromMinutes(3))));
            foreach (ChaosClient client in clients)
                client.Dispose();
            foreach (Node node in nodes)
                await node.StopAsync();
            await CheckAsync(report, nodes, postgres.ConnectionString, funds);
            return report;
        }
        finally
        {
            foreach (Node node in nodes)
                node.Kill();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<(List<string> Keys, Money Funds)> PrepareAsync(string data, string connection)
    {
        await using var server = GlimmerServer.Create(ChaosNode.Options(data, connection, 0), new ChatBackendSlot());
        List<string> keys = [server.Keys.Create("one").Credential, server.Keys.Create("two").Credential];
        var funds = Money.Of(100_000, Currency.Usd);
        await server.Ledger.DepositAsync(server.Accounts.DefaultAccount.PublicId, funds, "chaos-0");
        for (int i = 0; i < 2; i++)
        {
            AccountEntry account = (await server.Accounts.Accounts.CreateAsync(Actor.System, $"account {i}")).Value!;
            keys.Add((await server.Accounts.Keys.CreateAsync(Actor.System, account.Id, null, "key")).Value.Credential);
            await server.Ledger.DepositAsync(account.PublicId, funds, $"chaos-{i + 1}");
        }

        return (keys, funds);
    }

    /// <summary>The built-in rules, but for accounts without a plan, whose balance pays on every base.</summary>
    private static string PlansText()
    {
        using var built = new StreamReader(typeof(PlanRules).Assembly.GetManifestResourceStream("Glimmer.Platform.Plans.plans.yaml")!);
        return built.ReadToEnd().Replace("on_plan_bases: refuse", "on_plan_bases: balance", StringComparison.Ordinal);
    }

    private static async Task DisturbAsync(ChaosSettings settings, ChaosReport report, Node[] nodes, PostgresCluster postgres)
    {
        var random = new Random(settings.Seed);
        long end = Environment.TickCount64 + (settings.Seconds * 1000L);
        while (true)
        {
            await Task.Delay(random.Next(500, 2500));
            if (Environment.TickCount64 > end && report.Disturbances.Values.Sum() >= settings.Fewest)
                return;
            int choice = random.Next(10);
            Node node = nodes[random.Next(nodes.Length)];
            int pause = random.Next(0, 2500);
            string word;
            switch (choice)
            {
                case < 4:
                    word = "node killed";
                    node.Kill();
                    await Task.Delay(pause);
                    node.Start();
                    break;
                case 4:
                    word = "node stopped";
                    await node.StopAsync();
                    node.Start();
                    break;
                case < 7:
                    word = "PostgreSQL restarted";
                    await Task.Run(postgres.Restart);
                    break;
                case < 9:
                    word = "PostgreSQL away";
                    await Task.Run(postgres.Halt);
                    await Task.Delay(1000 + pause);
                    await Task.Run(postgres.Resume);
                    break;
                default:
                    word = "node killed while PostgreSQL is away";
                    await Task.Run(postgres.Halt);
                    await Task.Delay(1000 + (pause / 2));
                    node.Kill();
                    node.Start();
                    await Task.Delay(1500);
                    await Task.Run(postgres.Resume);
                    break;
            }

            report.Disturbances[word] = report.Disturbances.GetValueOrDefault(word) + 1;
            settings.Log?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, end - Environment.TickCount64) / 1000,4} s left, {report.Requests.Count} requests: {word}"));
        }
    }

    private static async Task CheckAsync(ChaosReport report, Node[] nodes, string connection, Money funds)
    {
        NpgsqlConnection.ClearAllPools();
        foreach (Node node in nodes)
        {
            report.Replayed += node.Replayed;

            // What a stop left is the next start's to settle; each node is started once more.
            await GlimmerServer.Create(ChaosNode.Options(node.Data, connection, 0), new ChatBackendSlot()).DisposeAsync();
            foreach (string file in Directory.Exists(Path.Combine(node.Data, "journal")) ? Directory.GetFiles(Path.Combine(node.Data, "journal")) : [])
                report.Faults.Enqueue($"A journal was left: {file}");
            foreach (string line in node.Errors)
                report.Faults.Enqueue($"{Path.GetFileName(node.Data)}: {line}");
        }

        await using var server = GlimmerServer.Create(ChaosNode.Options(nodes[0].Data, connection, 0), new ChatBackendSlot());
        foreach (string fault in await server.Ledger.AuditAsync())
            report.Faults.Enqueue("The books: " + fault);
        var rows = new Dictionary<int, int>();
        decimal charged = 0;
        var requests = new HashSet<string>(StringComparer.Ordinal);
        await using (var database = new NpgsqlConnection(connection))
        {
            await database.OpenAsync();
            await using var command = new NpgsqlCommand("SELECT input, request, cash + credit + pack_value FROM ledger_usage", database);
            await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                int number = (int)reader.GetInt64(0);
                rows[number] = rows.GetValueOrDefault(number) + 1;
                charged += Money.FromUnits(reader.GetInt64(2), Currency.Usd).Amount;
                if (!requests.Add(reader.GetString(1)))
                    report.Faults.Enqueue($"The request {reader.GetString(1)} was settled twice.");
            }
        }

        report.Rows = rows.Values.Sum();
        foreach (ChaosRequest request in report.Requests)
        {
            int settled = rows.GetValueOrDefault(request.Number);
            if (request.Outcome == ChaosOutcome.Unclear)
                report.Faults.Enqueue($"{request.Kind} {request.Number} has no clear outcome.");
            else if (request.Outcome == ChaosOutcome.Answered && settled != 1)
                report.Faults.Enqueue($"{request.Kind} {request.Number} was answered and settled {settled} times.");
            else if (settled > 1)
                report.Faults.Enqueue($"{request.Kind} {request.Number} ({request.Outcome}) was settled {settled} times.");
            if (request.Outcome != ChaosOutcome.Answered)
                report.RowsUnanswered += settled;
            rows.Remove(request.Number);
        }

        foreach (int number in rows.Keys)
            report.Faults.Enqueue($"A usage row of {number} tokens is nobody's.");
        decimal left = 0;
        foreach (AccountEntry account in server.Accounts.Directory.Accounts)
            left += server.Ledger.BalanceOf(account.PublicId, Currency.Usd).Cash.Amount;
        if (left + charged != 3 * funds.Amount)
            report.Faults.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{3 * funds.Amount} was paid in, {charged} charged, and {left} is left."));
    }

    /// <summary>A node as a process.</summary>
    private sealed class Node(string data, string connection, int port, string? former)
    {
        private readonly List<string> _lines = [];
        private Process? _process;

        public string Data => data;

        public Uri Address { get; } = new($"http://127.0.0.1:{port}");

        /// <summary>Lines that tell of something that should not be.</summary>
        public IReadOnlyList<string> Errors
        {
            get
            {
                lock (_lines)
                {
                    // That the database is away is what was done to it.
                    return [.. _lines.Where(static line => !line.StartsWith('{') || (line.Contains("\"level\":\"Error\"", StringComparison.Ordinal) && !line.Contains("\"event\":\"StoreAway\"", StringComparison.Ordinal)))];
                }
            }
        }

        /// <summary>Settled requests that its runs found in journals of runs before them.</summary>
        public int Replayed
        {
            get
            {
                lock (_lines)
                {
                    return _lines.Where(static line => line.Contains("\"event\":\"Replayed\"", StringComparison.Ordinal))
                        .Sum(static line => int.Parse(line.AsSpan(line.IndexOf("\"Requests\":", StringComparison.Ordinal) + 11).ToString().Split(',', '}')[0], CultureInfo.InvariantCulture));
                }
            }
        }

        public void Start()
        {
            var start = new ProcessStartInfo("dotnet", [former ?? typeof(ChaosRun).Assembly.Location, "node", data, connection, port.ToString(CultureInfo.InvariantCulture)])
            {
                RedirectStandardError = true,
                UseShellExecute = false,
            };
            start.Environment["DOTNET_EnableDiagnostics"] = "0";   // the sockets for debuggers would outlive one that is killed
            _process = Process.Start(start)!;
            _process.ErrorDataReceived += (_, line) =>
            {
                lock (_lines)
                {
                    if (line.Data is not null)
                        _lines.Add(line.Data);
                }
            };
            _process.BeginErrorReadLine();
        }

        public async Task ReadyAsync()
        {
            using var http = new HttpClient { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(5) };
            var watch = Stopwatch.StartNew();
            while (true)
            {
                try
                {
                    using HttpResponseMessage ready = await http.GetAsync(new Uri("/health/ready", UriKind.Relative));
                    if (ready.IsSuccessStatusCode && !(await ready.Content.ReadAsStringAsync()).Contains("away_since", StringComparison.Ordinal))
                        return;
                }
                catch (Exception fault) when (fault is HttpRequestException or OperationCanceledException)
                {
                    // It is still starting.
                }

                if (watch.Elapsed > Eventually.Patience || _process!.HasExited)
                    throw new InvalidOperationException($"The node in {data} does not get ready: {string.Join('\n', _lines)}");
                await Task.Delay(100);
            }
        }

        /// <summary>Ends it as the death of its machine would.</summary>
        public void Kill()
        {
            if (_process is not { HasExited: false } process)
                return;
            process.Kill();
            if (!process.WaitForExit(Eventually.Patience))
                throw new InvalidOperationException($"The node in {data} does not end, though it was killed.");
        }

        /// <summary>Asks it to stop, as an upgrade would.</summary>
        public async Task StopAsync()
        {
            if (_process is not { HasExited: false } process)
                return;
            using (var kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]))
                await kill.WaitForExitAsync();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            await ((Task)process.WaitForExitAsync(patience.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (process.HasExited)
                return;
            Kill();
            lock (_lines)
                _lines.Add("The node failed: it did not stop within a minute.");
        }
    }
}
