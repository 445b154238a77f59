using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Glimmer.Compare.Processes;

/// <summary>What one streamed answer took.</summary>
/// <param name="Sent">When the request was sent (<see cref="Stopwatch.GetTimestamp"/>).</param>
/// <param name="Arrivals">When each piece of text arrived.</param>
/// <param name="PromptTokens">Tokens of the prompt, as the server counts.</param>
/// <param name="Tokens">Tokens of the answer, as the server counts.</param>
internal sealed record StreamTiming(long Sent, IReadOnlyList<long> Arrivals, int PromptTokens, int Tokens)
{
    /// <summary>From the request to the first piece of text.</summary>
    public TimeSpan FirstToken => Stopwatch.GetElapsedTime(Sent, Arrivals[0]);
}

/// <summary>Reads one streamed chat answer; all contenders speak server-sent events of the same form.</summary>
internal static class ChatStream
{
    public static async Task<StreamTiming> RunAsync(ModelServer server, string prompt, int tokens, Action? onText = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, server.Contender.ChatPath) { Content = new ByteArrayContent(server.Contender.ChatBody(prompt, tokens)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (server.Key is { } key)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        long sent = Stopwatch.GetTimestamp();
        using HttpResponseMessage response = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (!response.IsSuccessStatusCode)
            throw new InvalidOperationException($"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync(), Encoding.UTF8);
        return await ReadAsync(reader, sent, onText);
    }

    /// <summary>Reads the events of an answer.</summary>
    /// <exception cref="InvalidOperationException">There was no text or no usage in it.</exception>
    internal static async Task<StreamTiming> ReadAsync(TextReader reader, long sent, Action? onText = null)
    {
        List<long> arrivals = [];
        int promptTokens = 0, answered = 0;
        while (await reader.ReadLineAsync() is { } line)
        {
            if (!line.StartsWith("data: {", StringComparison.Ordinal))
                continue;
            long now = Stopwatch.GetTimestamp();
            using JsonDocument chunk = JsonDocument.Parse(line.AsMemory("data: ".Length));
            if (chunk.RootElement.TryGetProperty("error", out JsonElement error))
                throw new InvalidOperationException($"the stream ended with {error.GetRawText()}");
            if (HasText(chunk.RootElement))
            {
                arrivals.Add(now);
                onText?.Invoke();
            }

            if (chunk.RootElement.TryGetProperty("usage", out JsonElement usage) && usage.ValueKind == JsonValueKind.Object)
            {
                promptTokens = usage.GetProperty("prompt_tokens").GetInt32();
                answered = usage.GetProperty("completion_tokens").GetInt32();
            }
        }

        if (arrivals.Count == 0 || answered == 0)
            throw new InvalidOperationException("the stream held no text or no usage");
        return new StreamTiming(sent, arrivals, promptTokens, answered);
    }

    private static bool HasText(JsonElement chunk)
    {
        if (!chunk.TryGetProperty("choices", out JsonElement choices) || choices.ValueKind != JsonValueKind.Array || choices.GetArrayLength() == 0)
            return false;
        // Chat answers have a delta, plain completions the text itself.
        JsonElement piece = choices[0].TryGetProperty("delta", out JsonElement delta) ? delta : choices[0];
        foreach (string name in (string[])["content", "reasoning_content", "text"])
        {
            if (piece.TryGetProperty(name, out JsonElement text) && text.ValueKind == JsonValueKind.String && text.GetString() is { Length: > 0 })
                return true;
        }

        return false;
    }
}
