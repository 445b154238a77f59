using System.Text.Json;

namespace Glimmer.Inference.Remote;

/// <summary>The <c>/tokenize</c> that every engine has: <c>tokens</c> in answer to a text, whose other fields differ.</summary>
internal static class EngineTokenize
{
    /// <summary>Tokens of a text; null when the engine does not offer it.</summary>
    /// <exception cref="EngineException">It answers without tokens.</exception>
    /// <param name="transport">The way to the engine.</param>
    /// <param name="model">What the engine calls the model; null for its only one.</param>
    /// <param name="write">Writes the text and how it is to be read.</param>
    /// <param name="cancel">Ends the wait.</param>
    public static async Task<int[]?> AskAsync(EngineTransport transport, string? model, Action<Utf8JsonWriter> write, CancellationToken cancel)
    {
        using JsonDocument? answer = await transport.FindJsonAsync(
            "/tokenize",
            json =>
            {
                json.WriteStartObject();
                if (model is not null)
                    json.WriteString("model", model);
                write(json);
                json.WriteEndObject();
            },
            cancel).ConfigureAwait(false);
        return answer is null ? null : Read(answer.RootElement);
    }

    /// <summary>Nothing prepended, as vLLM and SGLang take it.</summary>
    public static Task<int[]?> AskPlainAsync(EngineTransport transport, string? model, string text, CancellationToken cancel) => AskAsync(
        transport,
        model,
        json =>
        {
            json.WriteString("prompt", text);
            json.WriteBoolean("add_special_tokens", false);
        },
        cancel);

    private static int[] Read(JsonElement answer)
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
