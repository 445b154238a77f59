using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Server.Accounts;
using Glimmer.Server.Admin;
using Glimmer.Server.Billing;
using Glimmer.Server.Chat;
using Glimmer.Server.Gemini;
using Glimmer.Server.Health;
using Glimmer.Server.Home;
using Glimmer.Server.Llama;
using Glimmer.Server.Messages;
using Glimmer.Server.Models;
using Glimmer.Server.Monitor;
using Glimmer.Server.Ollama;
using Glimmer.Server.OpenAI;
using Glimmer.Server.Tasks;
using Glimmer.Server.Telemetry;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Hosting;

/// <summary>Which path leads where. Dialects with many paths map their own.</summary>
internal static class ServerRoutes
{
    /// <summary>Maps everything, and wakes what nobody asks for.</summary>
    public static void Map(WebApplication app, GlimmerOptions options)
    {
        string[] get = [HttpMethods.Get, HttpMethods.Head];
        string[] post = [HttpMethods.Post];
        app.UseMiddleware<RequestMiddleware>();
        app.UseRouting();

        var chat = app.Services.GetRequiredService<ChatEndpoint>();
        var models = app.Services.GetRequiredService<ModelsEndpoint>();
        foreach ((string address, ApiSurface surface) in new[] { ("/api/paas/v4", ApiSurface.General), ("/api/coding/paas/v4", ApiSurface.Coding) })
        {
            app.MapMethods($"{address}/chat/completions", post, context => chat.HandleAsync(context, surface));
            app.MapMethods($"{address}/models", get, models.ListAsync);
            app.MapMethods($"{address}/models/{{id}}", get, models.GetAsync);
        }

        OpenAIRoutes.Map(app);
        OllamaRoutes.Map(app);
        GeminiRoutes.Map(app);
        LlamaRoutes.Map(app);
        app.MapTasks();
        var messages = app.Services.GetRequiredService<MessagesEndpoint>();
        foreach (string address in new[] { "/api/anthropic/v1/messages", "/v1/messages" })
        {
            app.MapMethods(address, post, messages.HandleAsync);
            app.MapMethods($"{address}/count_tokens", post, messages.CountAsync);
        }

        var messagesModels = app.Services.GetRequiredService<MessagesModels>();
        app.MapMethods("/api/anthropic/v1/models", get, messagesModels.ListAsync);
        app.MapMethods("/api/anthropic/v1/models/{id}", get, messagesModels.GetAsync);
        app.MapMethods("/api/paas/v4/tokenizer", post, app.Services.GetRequiredService<TokenizerEndpoint>().HandleAsync);
        var monitor = app.Services.GetRequiredService<MonitorEndpoints>();
        app.MapMethods("/api/monitor/usage/quota/limit", get, monitor.QuotaAsync);
        app.MapMethods("/api/monitor/usage/model-usage", get, monitor.ModelUsageAsync);
        app.MapMethods("/api/monitor/usage/tool-usage", get, monitor.ToolUsageAsync);
        app.MapMethods("/api/biz/subscription/list", get, monitor.SubscriptionsAsync);
        app.MapBilling();
        AccountRoutes.Map(app);
        app.Services.GetRequiredService<AdminEndpoints>().Map(app);
        var health = app.Services.GetRequiredService<HealthEndpoints>();
        app.MapMethods("/health/live", get, health.LiveAsync);
        app.MapMethods("/health/ready", get, health.ReadyAsync);
        app.MapMethods("/", get, app.Services.GetRequiredService<HomePage>().GetAsync);
        if (options.Metrics)
        {
            var registry = new PrometheusRegistry(app.Services.GetRequiredService<GlimmerTelemetry>().Meter);
            app.Lifetime.ApplicationStopped.Register(registry.Dispose);
            app.MapMethods("/metrics", get, async context =>
            {
                context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
                await context.Response.WriteAsync(registry.Write(), context.RequestAborted);
            });
        }

        // Nobody asks for them: their instruments are read.
        app.Services.GetRequiredService<EngineTelemetry>();
        app.Services.GetRequiredService<BackendTelemetry>();
        app.Services.GetRequiredService<StoreTelemetry>();
        app.Services.GetRequiredService<NodeTelemetry>();

        // The drain must listen for the stop from the beginning, not from the first chat request on.
        app.Services.GetRequiredService<AnswerDrain>();
    }
}
