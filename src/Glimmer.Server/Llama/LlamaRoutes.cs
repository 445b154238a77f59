namespace Glimmer.Server.Llama;

/// <summary>What answers on the paths of llama.cpp's server.</summary>
internal static class LlamaRoutes
{
    /// <summary>Registers the endpoints.</summary>
    public static IServiceCollection AddLlama(this IServiceCollection services) => services
        .AddSingleton<LlamaEndpoints>()
        .AddSingleton<LlamaCompletionEndpoint>();

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        string[] get = [HttpMethods.Get, HttpMethods.Head];
        string[] post = [HttpMethods.Post];
        var llama = app.Services.GetRequiredService<LlamaEndpoints>();
        app.MapMethods("/health", get, llama.HealthAsync);
        app.MapMethods("/v1/health", get, llama.HealthAsync);
        app.MapMethods("/slots", get, llama.SlotsAsync);
        app.MapMethods("/props", get, llama.PropsAsync);
        app.MapMethods("/tokenize", post, llama.TokenizeAsync);
        app.MapMethods("/detokenize", post, llama.DetokenizeAsync);
        app.MapMethods("/apply-template", post, llama.ApplyTemplateAsync);
        var completion = app.Services.GetRequiredService<LlamaCompletionEndpoint>();
        app.MapMethods("/completion", post, completion.CompleteAsync);
        app.MapMethods("/completions", post, completion.CompleteAsync);
        app.MapMethods("/infill", post, completion.InfillAsync);
    }
}
