using Glimmer.Platform.Store;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Server.Hosting;

/// <summary>
/// Does what a start and a first request do, in the same order and to no effect, so that their code is loaded and compiled by the time they come to it. Most of a
/// start is compiling, and other cores are idle while the first one reads settings.
/// </summary>
internal static class ServerWarmUp
{
    private const string Body = """{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"Hello!"}]}""";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>The store.</summary>
    public static void RunStore() => PlatformStore.WarmUp();

    /// <summary>The web server: it is made and answers one request, which comes by no socket. What fails here fails again in the start, which says so.</summary>
    /// <returns>The answer.</returns>
    public static async Task<string> RunServerAsync()
    {
        WarmConnection connection = new(System.Text.Encoding.ASCII.GetBytes(
            $"POST /warm/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer none\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {Body.Length}\r\n\r\n{Body}"));
        WebApplicationBuilder builder = ServerHost.NewBuilder();
        ServerHost.Configure(builder, new GlimmerOptions { DataFolder = "", Port = 0 }, new GlimmerServices { Logs = NullLoggerProvider.Instance });
        builder.Services.AddSingleton<IConnectionListenerFactory>(connection);
        await using WebApplication app = builder.Build();
        app.UseRouting();
        app.MapMethods("/warm/{id}", [HttpMethods.Post], AnswerAsync);
        app.MapMethods("/warm", [HttpMethods.Get, HttpMethods.Head], static _ => Task.CompletedTask);
        app.UseEndpoints(static _ => { });
        RequestDelegate pipeline = ((IApplicationBuilder)app).Build();

        // The server alone is started, not its host, which would listen for the process's signals.
        IServer server = app.Services.GetRequiredService<IServer>();
        await server.StartAsync(new Application(pipeline, app.Services), CancellationToken.None);
        using CancellationTokenSource patience = new(Patience);
        string answer = await connection.ReadToEndAsync(patience.Token);
        await server.StopAsync(patience.Token);
        return answer;
    }

    /// <summary>Reads a chat request and streams one event.</summary>
    private static async Task AnswerAsync(HttpContext context)
    {
        (ChatCompletionRequest? wire, PlatformError? error) = await BodyReader.ReadAsync(context, Body.Length, ChatRequestReader.Read);
        if (wire is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        context.Response.ContentType = "text/event-stream";
        await context.Response.StartAsync(context.RequestAborted);
        using SseWriter output = new(context.Response.BodyWriter);
        System.Text.Json.Utf8JsonWriter json = output.BeginEvent();
        json.WriteStartObject();
        json.WriteString("model", wire.Model);
        json.WriteEndObject();
        output.EndEvent();
        await output.FlushAsync(context.RequestAborted);
        output.WriteDone();
        await output.FlushAsync(context.RequestAborted);
    }

    private sealed class Application(RequestDelegate pipeline, IServiceProvider services) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures) { RequestServices = services };

        public Task ProcessRequestAsync(HttpContext context) => pipeline(context);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
            // Nothing was taken for it.
        }
    }
}
