using Glimmer.Platform.Store;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Server.Hosting;

/// <summary>
/// Does what a start does, in the same order and to no effect, so that its code is loaded and compiled by the time the start comes to it. Most of a
/// start is compiling, and a second core is idle while the first one reads settings.
/// </summary>
internal static class ServerWarmUp
{
    /// <summary>Runs it. What fails here fails again in the start, which says so.</summary>
    public static void Run()
    {
        PlatformStore.WarmUp();
        WebApplicationBuilder builder = ServerHost.NewBuilder();
        ServerHost.Configure(builder, new GlimmerOptions { DataFolder = "" }, new GlimmerServices { Logs = NullLoggerProvider.Instance });
        using WebApplication app = builder.Build();
        app.UseRouting();
        app.MapMethods("/{id}", [HttpMethods.Get], static _ => Task.CompletedTask);
        ((IApplicationBuilder)app).Build();
        app.Services.GetRequiredService<IServer>();   // made, but not started: it listens nowhere
    }
}
