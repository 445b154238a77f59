using Glimmer.Platform.Store;
using Glimmer.Platform.Tasks;
using Glimmer.Server.Hosting;

namespace Glimmer.Server.Tasks;

/// <summary>Everything that is answered later.</summary>
internal static class TaskRoutes
{
    /// <summary>Registers queue, runner and endpoints.</summary>
    public static IServiceCollection AddTasks(this IServiceCollection services, PlatformStore store, GlimmerOptions options)
    {
        var queue = new TaskQueue(store, new TaskSettings
        {
            Concurrency = options.TaskConcurrency,
            Lease = options.TaskLease,
            KeepResult = options.KeepTaskResults,
            DrainTime = options.DrainTime,
        });
        return services
            .AddSingleton(queue)
            .AddSingleton(new TaskBatches(queue))
            .AddSingleton<ITaskWork, EndpointWork>()
            .AddSingleton<AsyncChatEndpoint>()
            .AddSingleton<MessageBatchesEndpoint>()
            .AddHostedService<TaskHost>();
    }

    /// <summary>Maps the routes.</summary>
    public static void MapTasks(this WebApplication app)
    {
        string[] get = [HttpMethods.Get, HttpMethods.Head];
        string[] post = [HttpMethods.Post];
        var chat = app.Services.GetRequiredService<AsyncChatEndpoint>();
        app.MapMethods("/api/paas/v4/async/chat/completions", post, chat.HandleAsync);
        app.MapMethods("/api/paas/v4/async-result/{id}", get, chat.ResultAsync);
        var batches = app.Services.GetRequiredService<MessageBatchesEndpoint>();
        foreach (string address in new[] { "/api/anthropic/v1/messages/batches", "/v1/messages/batches" })
        {
            app.MapMethods(address, post, batches.CreateAsync);
            app.MapMethods(address, get, batches.ListAsync);
            app.MapMethods(address + "/{id}", get, batches.GetAsync);
            app.MapMethods(address + "/{id}", [HttpMethods.Delete], batches.DeleteAsync);
            app.MapMethods(address + "/{id}/cancel", post, batches.CancelAsync);
            app.MapMethods(address + "/{id}/results", get, batches.ResultsAsync);
        }
    }
}
