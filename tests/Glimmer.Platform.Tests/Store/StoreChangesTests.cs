using System.Globalization;
using Glimmer.Platform.Store;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Store;

public sealed class StoreChangesTests
{
    private static readonly int _times = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), CultureInfo.InvariantCulture, out int asked) ? asked : 150;

    /// <summary>
    /// Npgsql 10 may lose the word to stop waiting that comes just as it begins to wait, which it does after each notification. Another notification would wake it: so this is
    /// a server of its own, where nobody else says anything.
    /// </summary>
    [Fact]
    public async Task A_store_that_is_closed_as_news_come_does_not_wait_for_more_of_them()
    {
        using var postgres = PostgresCluster.Start();
        if (postgres.Missing is { } reason)
            Assert.Skip(reason);
        using var folder = new TemporaryFolder();
        var settings = new StoreSettings { DataFolder = folder.Path, ConnectionString = postgres.ConnectionString, ChangePoll = TimeSpan.FromMinutes(10) };
        var random = new Random(1);
        for (int i = 0; i < _times; i++)
        {
            PlatformStore store = PlatformStore.Open(settings);
            var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            store.Changes.Watch("news", -1, _ => heard.TrySetResult());
            await heard.Task.WaitAsync(Eventually.Patience);
            store.Write(session => session.NextVersion("news"));
            Thread.SpinWait(random.Next(1, 30_000));
            await Task.Run(store.Dispose).WaitAsync(Eventually.Patience);
        }
    }
}
