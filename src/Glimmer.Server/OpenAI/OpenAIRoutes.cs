using Glimmer.Platform.Responses;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Embeddings;
using Glimmer.Server.Gemini;
using Glimmer.Server.Messages;
using Glimmer.Server.Models;
using Glimmer.Server.Rerank;
using Glimmer.Server.Responses;
using Glimmer.Server.Transport;

namespace Glimmer.Server.OpenAI;

/// <summary>What answers under <c>/v1</c>.</summary>
internal static class OpenAIRoutes
{
    /// <summary>Registers the endpoints.</summary>
    public static IServiceCollection AddOpenAI(this IServiceCollection services, ReasoningSeal seal) => services
        .AddSingleton<OpenAIModelNames>()
        .AddSingleton<ChatCompletionsEndpoint>()
        .AddSingleton<CompletionsEndpoint>()
        .AddSingleton<EmbeddingsEndpoint>()
        .AddSingleton<RerankEndpoint>()
        .AddSingleton<ResponseStore>()
        .AddSingleton<ConversationStore>()
        .AddSingleton(seal)
        .AddSingleton<RecentResponses>()
        .AddSingleton<ResponseHistory>()
        .AddSingleton<ResponseTasks>()
        .AddSingleton<LiveResponses>()
        .AddSingleton<BackgroundResponses>()
        .AddSingleton<ResponseFollower>()
        .AddSingleton<ResponsesEndpoint>()
        .AddSingleton<StoredResponsesEndpoint>()
        .AddSingleton<ConversationsEndpoint>();

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        string[] get = [HttpMethods.Get, HttpMethods.Head];
        string[] post = [HttpMethods.Post];
        // llama.cpp's server has the first routes without the prefix too, and a base address is easily given without it.
        foreach (string path in new[] { "/v1/chat/completions", "/chat/completions" })
            app.MapMethods(path, post, app.Services.GetRequiredService<ChatCompletionsEndpoint>().HandleAsync);
        app.MapMethods("/v1/completions", post, app.Services.GetRequiredService<CompletionsEndpoint>().HandleAsync);
        var embeddings = app.Services.GetRequiredService<EmbeddingsEndpoint>();
        app.MapMethods("/v1/embeddings", post, embeddings.HandleAsync);
        app.MapMethods("/api/paas/v4/embeddings", post, embeddings.HandleAsync);
        var rerank = app.Services.GetRequiredService<RerankEndpoint>();
        app.MapMethods("/api/paas/v4/rerank", post, rerank.HandleAsync);
        foreach (string path in new[] { "/v1/rerank", "/v1/reranking", "/v2/rerank", "/rerank", "/reranking" })
            app.MapMethods(path, post, rerank.HandleOtherAsync);

        // Three vendors' clients ask here; Anthropic's and Google's say so in a header.
        var models = app.Services.GetRequiredService<ModelsEndpoint>();
        var theirs = app.Services.GetRequiredService<MessagesModels>();
        var gemini = app.Services.GetRequiredService<GeminiModels>();
        app.MapMethods("/v1/models", get, context => IsAnthropic(context) ? theirs.ListAsync(context) : GeminiRoutes.IsTheirs(context) ? gemini.ListAsync(context) : models.ListAsync(context));
        app.MapMethods("/models", get, context => GeminiRoutes.IsTheirs(context) ? gemini.ListAsync(context) : models.ListAsync(context));
        app.MapMethods("/v1/models/{id}", get, context => IsAnthropic(context) ? theirs.GetAsync(context) : GeminiRoutes.IsTheirs(context) ? gemini.GetAsync(context) : models.GetAsync(context));
        MapResponses(app);
    }

    private static void MapResponses(WebApplication app)
    {
        string[] get = [HttpMethods.Get, HttpMethods.Head];
        string[] post = [HttpMethods.Post];
        string[] delete = [HttpMethods.Delete];
        var responses = app.Services.GetRequiredService<ResponsesEndpoint>();
        app.MapMethods("/v1/responses", post, responses.HandleAsync);
        app.MapMethods("/v1/responses/input_tokens", post, responses.CountAsync);
        app.MapMethods("/v1/responses/compact", post, static context => ErrorResponse.WriteAsync(context, PlatformError.Of(BusinessCode.ApiMissing, "POST /v1/responses/compact")));
        var stored = app.Services.GetRequiredService<StoredResponsesEndpoint>();
        app.MapMethods("/v1/responses/{id}", get, stored.GetAsync);
        app.MapMethods("/v1/responses/{id}", delete, stored.DeleteAsync);
        app.MapMethods("/v1/responses/{id}/input_items", get, stored.InputItemsAsync);
        app.MapMethods("/v1/responses/{id}/cancel", post, stored.CancelAsync);
        var conversations = app.Services.GetRequiredService<ConversationsEndpoint>();
        app.MapMethods("/v1/conversations", post, conversations.CreateAsync);
        app.MapMethods("/v1/conversations/{id}", get, conversations.GetAsync);
        app.MapMethods("/v1/conversations/{id}", post, conversations.UpdateAsync);
        app.MapMethods("/v1/conversations/{id}", delete, conversations.DeleteAsync);
        app.MapMethods("/v1/conversations/{id}/items", get, conversations.ItemsAsync);
        app.MapMethods("/v1/conversations/{id}/items", post, conversations.AddAsync);
        app.MapMethods("/v1/conversations/{id}/items/{item}", get, conversations.ItemAsync);
        app.MapMethods("/v1/conversations/{id}/items/{item}", delete, conversations.DeleteItemAsync);
    }

    private static bool IsAnthropic(HttpContext context) => context.Request.Headers.ContainsKey("anthropic-version");
}
