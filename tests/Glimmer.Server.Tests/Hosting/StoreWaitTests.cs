using Glimmer.Platform.Store;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Hosting;

public sealed class StoreWaitTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_word_to_stop_that_comes_while_the_database_comes_back_is_heard(bool told)
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-wait-").FullName;
        var options = new GlimmerOptions { Port = 0, DataFolder = folder, LogLevel = LogLevel.None, StoreWait = TimeSpan.FromMinutes(1) };
        IHostApplicationLifetime? lifetime = null;
        GlimmerServer? made = null;
        Task<GlimmerServer> created = StoreWait.CreateAsync(options, Create, new GlimmerServices(), TestContext.Current.CancellationToken, listening => lifetime = listening);
        if (told)
        {
            Assert.Equal(0, (await Assert.ThrowsAsync<GlimmerStartupException>(() => created)).ExitCode);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => made!.StartAsync());   // it was stopped
        }
        else
        {
            await using GlimmerServer server = await created;
            await server.StartAsync();
            Assert.Same(made, server);
        }

        Directory.Delete(folder, recursive: true);

        GlimmerServer Create()
        {
            if (lifetime is null)
                throw new StoreAwayException();
            if (told)
                lifetime.StopApplication();
            return made = GlimmerServer.Create(options, new ChatBackendSlot());
        }
    }
}
