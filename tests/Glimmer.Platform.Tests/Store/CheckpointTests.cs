using Glimmer.Platform.Store;
using Glimmer.Testing;
using Microsoft.Data.Sqlite;

namespace Glimmer.Platform.Tests.Store;

public sealed class CheckpointTests
{
    [Fact]
    public async Task The_log_is_emptied_though_something_reads_it_for_longer_than_a_writer_waits()
    {
        using var test = new TestStore(StoreKind.Sqlite);
        await using PlatformStore store = test.Open();
        store.Write(session => session.NextVersion("keys"));
        await using (SqliteConnection reader = new($"Data Source={store.Settings.FilePath};Pooling=False"))
        {
            await reader.OpenAsync(TestContext.Current.CancellationToken);
            await using SqliteTransaction reading = reader.BeginTransaction(deferred: true);
            await using (SqliteCommand command = reader.CreateCommand())
            {
                command.CommandText = "SELECT COUNT(*) FROM store_topics";
                await command.ExecuteScalarAsync(TestContext.Current.CancellationToken);
            }

            Task emptying = Task.Run(store.Checkpoint, TestContext.Current.CancellationToken);
            await Task.Delay(TimeSpan.FromSeconds(6), TestContext.Current.CancellationToken);
            Assert.False(emptying.IsCompleted);
            await reading.RollbackAsync(TestContext.Current.CancellationToken);
            await emptying.WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);
        }

        Assert.Equal(0, new FileInfo(store.Settings.FilePath + "-wal").Length);
    }
}
