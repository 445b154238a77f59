using System.Text.Json;

namespace Glimmer.Inference.Remote;

/// <summary>The <c>/tokenize</c> that vLLM and SGLang share.</summary>
internal static class OpenAITokenize
{
    /// <summary>Tokens of a text, nothing prepended; null when the engine does not offer it.</summary>
    public static async Task<int[]?> AskAsync(EngineTransport transport, string? model, string text, CancellationToken cancel)
    {
        using JsonDocument? answer = await transport.FindJsonAsync(
            "/tokenize",
            json =>
            {
                json.WriteStartObject();
                if (model is not null)
                    json.WriteString("model", model);
                json.WriteString("prompt", text);
                json.WriteBoolean("add_special_tokens", false);
                json.WriteEndObject();
            },
            cancel).ConfigureAwait(false);
        return answer is null ? null : Read(answer.RootElement);
    }

    /// <summary>The tokens of an answer.</summary>
    /// <exception cref="EngineException">There are none.</exception>
    public static int[] Read(JsonElement answer)
    {
        try
        {
            return answer.FindTokens("tokens") ?? throw EngineException.Failed("/tokenize says no tokens.");
        }
        catch (Exception fault) when (fault is InvalidOperationException or FormatException)
        {
            throw EngineException.Failed("/tokenize says no tokens.", fault);
        }
    }
}
