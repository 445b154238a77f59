using Glimmer.Platform.Store;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Store;

public sealed class HeldFileTests
{
    [Fact]
    public async Task One_that_is_held_is_waited_for()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("lock");
        FileStream held = HeldFile.Open(path, TimeSpan.Zero);
        Assert.Throws<IOException>(() => HeldFile.Open(path, TimeSpan.Zero));
        Task<FileStream> waiting = Task.Run(() => HeldFile.Open(path, Eventually.Patience));
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(waiting.IsCompleted);
        await held.DisposeAsync();
        await (await waiting.WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken)).DisposeAsync();
    }

    [Fact]
    public void One_that_cannot_be_opened_is_said_at_once()
    {
        using var folder = new TemporaryFolder();

        // Waiting would outlast the test.
        Assert.ThrowsAny<IOException>(() => HeldFile.Open(Path.Combine(folder.Path, "missing", "lock"), TimeSpan.FromDays(1)));
    }
}
