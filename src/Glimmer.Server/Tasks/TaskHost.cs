using Glimmer.Platform.Store;
using Glimmer.Platform.Tasks;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Tasks;

/// <summary>Runs tasks as long as the server does. They drain beside the requests, from the same moment on.</summary>
internal sealed partial class TaskHost : IHostedService, IAsyncDisposable
{
    private readonly TaskRunner _runner;
    private readonly CancellationTokenRegistration _stopping;
    private Task _stopped = Task.CompletedTask;

    public TaskHost(TaskQueue queue, ITaskWork work, IHostApplicationLifetime lifetime, ILogger<TaskHost> log)
    {
        _runner = new TaskRunner(queue, work, fault =>
        {
            // Told once where the database is watched.
            if (!PlatformStore.IsAbsence(fault))
                Log.Fault(log, FaultText.Of(fault));
        });
        _stopping = lifetime.ApplicationStopping.Register(() => _stopped = Task.Run(_runner.StopAsync));
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _runner.Start();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // What it still writes may wait for a database that is away, and is given up only when the store is closed, which comes after this.
        var stopped = Task.WhenAll(_stopped, _runner.StopAsync());
        await stopped.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (stopped.IsCompleted)
            await stopped;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.DisposeAsync();
        await _runner.DisposeAsync();
    }

    private static partial class Log
    {
        [LoggerMessage(2302, LogLevel.Error, "A task could not be run or stored and will be tried again: {Fault}")]
        public static partial void Fault(ILogger log, string fault);
    }
}
