namespace Glimmer.Server.Ollama;

/// <summary>What answers on Ollama's paths.</summary>
internal static class OllamaRoutes
{
    /// <summary>Registers the endpoints.</summary>
    public static IServiceCollection AddOllama(this IServiceCollection services) => services
        .AddSingleton<OllamaGate>()
        .AddSingleton<OllamaModels>()
        .AddSingleton<OllamaEmbeddings>()
        .AddSingleton<OllamaEndpoint>();

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        string[] get = [HttpMethods.Get, HttpMethods.Head];
        string[] post = [HttpMethods.Post];
        var answers = app.Services.GetRequiredService<OllamaEndpoint>();
        var models = app.Services.GetRequiredService<OllamaModels>();
        app.MapMethods("/api/chat", post, answers.ChatAsync);
        app.MapMethods("/api/generate", post, answers.GenerateAsync);
        app.MapMethods("/api/tags", get, models.TagsAsync);
        app.MapMethods("/api/ps", get, models.RunningAsync);
        app.MapMethods("/api/show", post, models.ShowAsync);
        app.MapMethods("/api/version", get, OllamaModels.VersionAsync);
        var embeddings = app.Services.GetRequiredService<OllamaEmbeddings>();
        app.MapMethods("/api/embed", post, embeddings.EmbedAsync);
        app.MapMethods("/api/embeddings", post, embeddings.EmbedPromptAsync);
        foreach (string path in new[] { "/api/pull", "/api/push", "/api/create", "/api/copy" })
            app.MapMethods(path, post, models.ManageAsync);
        app.MapMethods("/api/delete", [HttpMethods.Delete], models.ManageAsync);
        app.MapMethods("/api/blobs/{digest}", [HttpMethods.Post, HttpMethods.Head], models.ManageAsync);
    }
}
