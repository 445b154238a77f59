using System.Diagnostics;
using System.Globalization;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Testing;
using Npgsql;

namespace Glimmer.Platform.Tests.Ledger;

/// <summary>
/// Kills the process under load at a random moment, again and again: afterwards the books hold, everything that was acknowledged is there,
/// and nothing is there twice. <c>GLIMMER_CRASH_KILLS</c> sets how often (5 each); <c>scripts/crash.sh</c> does it 200 times.
/// </summary>
public sealed class CrashTests
{
    /// <summary>Some acknowledgements: before it has them the load is not under way, however long it was given.</summary>
    private const int FewestBytes = 200;

    private static int Kills => int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_CRASH_KILLS"), NumberStyles.None, CultureInfo.InvariantCulture, out int kills) ? kills : 5;

    [Theory, Store.EachStore]
    public async Task Killing_the_process_loses_no_acknowledged_charge_and_doubles_none(StoreKind kind)
    {
        if (OperatingSystem.IsWindows())
            Assert.Skip("Kills by signal are for Unix.");
        var random = new Random(kind == StoreKind.Sqlite ? 1 : 2);
        long acknowledged = 0;
        for (int done = 0; done < Kills;)
        {
            // A new store now and then, since every check reads all of it.
            using var test = new Store.TestStore(kind);
            for (int i = 0; i < 10 && done < Kills; i++, done++)
                acknowledged += await KillAsync(test, $"run{done}", random.Next(1, 400));
        }

        Assert.True(acknowledged > Kills, $"Only {acknowledged} acknowledgements: the load did not run.");
        TestContext.Current.TestOutputHelper?.WriteLine($"{kind}: {Kills} kills, {acknowledged} acknowledgements");
    }

    private static async Task<long> KillAsync(Store.TestStore test, string run, int afterMilliseconds)
    {
        string notes = test.File($"acknowledged-{run}");
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Glimmer.Platform.Tests"))
        {
            ArgumentList = { "--no-ansi", "--explicit", "only", "--filter-method", $"{typeof(CrashLoad).FullName}.{nameof(CrashLoad.Charge_until_killed)}", "--results-directory", test.Folder },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["DOTNET_EnableDiagnostics"] = "0";   // the sockets for debuggers would outlive it
        start.Environment[CrashLoad.Folder] = test.Folder;
        start.Environment[CrashLoad.Connection] = test.Settings.ConnectionString;
        start.Environment[CrashLoad.Run] = run;
        using Process child = Process.Start(start)!;
        Task<string> output = child.StandardOutput.ReadToEndAsync();
        Task<string> errors = child.StandardError.ReadToEndAsync();
        await Eventually.HoldsAsync(() => child.HasExited || (File.Exists(notes) && new FileInfo(notes).Length >= FewestBytes));
        await Task.Delay(afterMilliseconds);
        Assert.False(child.HasExited, $"The load ended by itself: {(child.HasExited ? await output + await errors : "")}");
        child.Kill();
        await child.WaitForExitAsync();
        if (test.Settings.Kind == StoreKind.Postgres)
            await WaitForSessionsAsync(test.Settings.ConnectionString);
        return await CheckAsync(test, notes);
    }

    private static async Task<long> CheckAsync(Store.TestStore test, string notes)
    {
        using PlatformStore store = PlatformStore.Open(CrashLoad.Settings(test.Folder, test.Settings.ConnectionString));
        await using PlatformLedger ledger = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        Assert.Empty(await ledger.AuditAsync());
        var requests = store.Read(session => session.List<(string Id, long Charged)>("SELECT request, cash + credit FROM ledger_usage"));
        Dictionary<string, long> charged = requests.ToDictionary(row => row.Id, row => row.Charged, StringComparer.Ordinal);   // throws when one is there twice
        HashSet<string> transactions = [.. store.Read(session => session.List<string>("SELECT id FROM ledger_transactions WHERE id IS NOT NULL"))];
        string[] lines = (await File.ReadAllTextAsync(notes)).Split('\n')[..^1];
        foreach (string line in lines)
        {
            string[] parts = line.Split(' ');
            if (parts[0] == "request")
                Assert.Equal(long.Parse(parts[3], CultureInfo.InvariantCulture), charged[parts[1]]);
            else
                Assert.Contains(parts[1], transactions);
        }

        for (int i = 0; i < CrashLoad.Accounts; i++)
            Assert.Equal(0, ledger.BalanceOf($"account-{i}", Currency.Usd).Held.Units);
        return lines.Length;
    }

    /// <summary>The server notices a killed client a moment later; what it was committing then counts.</summary>
    private static async Task WaitForSessionsAsync(string connection)
    {
        string name = new NpgsqlConnectionStringBuilder(connection).ApplicationName!;
        for (int i = 0; i < 6000 && Store.TestStore.Administer($"SELECT 1 FROM pg_stat_activity WHERE application_name = '{name}'") > 0; i++)
            await Task.Delay(10);
    }
}
