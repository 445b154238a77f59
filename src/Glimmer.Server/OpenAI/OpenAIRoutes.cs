using Glimmer.Server.Messages;
using Glimmer.Server.Models;

namespace Glimmer.Server.OpenAI;

/// <summary>What answers under <c>/v1</c>.</summary>
internal static class OpenAIRoutes
{
    /// <summary>Registers the endpoints.</summary>
    public static IServiceCollection AddOpenAI(this IServiceCollection services) => services
        .AddSingleton<OpenAIModelNames>()
        .AddSingleton<ChatCompletionsEndpoint>();

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        string[] get = [HttpMethods.Get, HttpMethods.Head];
        string[] post = [HttpMethods.Post];
        app.MapMethods("/v1/chat/completions", post, app.Services.GetRequiredService<ChatCompletionsEndpoint>().HandleAsync);

        // Both vendors' clients ask here; Anthropic's say so in a header.
        var models = app.Services.GetRequiredService<ModelsEndpoint>();
        var theirs = app.Services.GetRequiredService<MessagesModels>();
        app.MapMethods("/v1/models", get, context => IsAnthropic(context) ? theirs.ListAsync(context) : models.ListAsync(context));
        app.MapMethods("/v1/models/{id}", get, context => IsAnthropic(context) ? theirs.GetAsync(context) : models.GetAsync(context));
    }

    private static bool IsAnthropic(HttpContext context) => context.Request.Headers.ContainsKey("anthropic-version");
}
