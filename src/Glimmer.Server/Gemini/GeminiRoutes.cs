namespace Glimmer.Server.Gemini;

/// <summary>What answers in Gemini's dialect.</summary>
internal static class GeminiRoutes
{
    /// <summary>Registers the endpoints.</summary>
    public static IServiceCollection AddGemini(this IServiceCollection services) => services
        .AddSingleton<GeminiModelNames>()
        .AddSingleton<GeminiModels>()
        .AddSingleton<GeminiEmbeddings>()
        .AddSingleton<GeminiEndpoint>();

    /// <summary>Maps the routes. Methods of models are answered under every version that clients write, and without one; lists of models only where no other dialect has them.</summary>
    public static void Map(WebApplication app)
    {
        string[] get = [HttpMethods.Get, HttpMethods.Head];
        string[] post = [HttpMethods.Post];
        var answers = app.Services.GetRequiredService<GeminiEndpoint>();
        var embeddings = app.Services.GetRequiredService<GeminiEmbeddings>();
        var models = app.Services.GetRequiredService<GeminiModels>();
        foreach (string version in (string[])["/v1beta", "/v1alpha", "/v1", ""])
        {
            string model = version + "/models/{model}";
            app.MapMethods(model + ":generateContent", post, answers.GenerateAsync);
            app.MapMethods(model + ":streamGenerateContent", post, answers.StreamAsync);
            app.MapMethods(model + ":countTokens", post, answers.CountAsync);
            app.MapMethods(model + ":embedContent", post, embeddings.EmbedAsync);
            app.MapMethods(model + ":batchEmbedContents", post, embeddings.EmbedBatchAsync);
        }

        foreach (string version in (string[])["/v1beta", "/v1alpha"])
        {
            app.MapMethods(version + "/models", get, models.ListAsync);
            app.MapMethods(version + "/models/{model}", get, models.GetAsync);
        }
    }

    /// <summary>Whether a request to a path that several vendors' clients know is one of Google's.</summary>
    public static bool IsTheirs(HttpContext context) => context.Request.Headers.ContainsKey("x-goog-api-key");
}
