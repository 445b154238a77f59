using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Glimmer.Load;

/// <summary>What one streamed answer took.</summary>
/// <param name="FirstToken">From the request to the first piece of reasoning or content.</param>
/// <param name="Total">To the end.</param>
/// <param name="Gaps">Pauses between events, in milliseconds.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CompletionTokens">Tokens generated.</param>
internal sealed record StreamTiming(TimeSpan FirstToken, TimeSpan Total, IReadOnlyList<double> Gaps, int PromptTokens, int CompletionTokens);

/// <summary>Reads one streamed chat answer and times its events.</summary>
internal static class ChatStream
{
    public static async Task<StreamTiming> RunAsync(HttpClient client, Uri server, string key, string prompt, int maxTokens)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(new
        {
            model = "glimmer-tiny",
            stream = true,
            do_sample = false,
            max_tokens = maxTokens,
            messages = new[] { new { role = "user", content = prompt } },
        });
        using HttpRequestMessage request = new(HttpMethod.Post, new Uri(server, "/api/paas/v4/chat/completions")) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        long start = Stopwatch.GetTimestamp(), last = 0;
        TimeSpan? first = null;
        List<double> gaps = [];
        int promptTokens = 0, completionTokens = 0;
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (!response.IsSuccessStatusCode)
            throw new InvalidOperationException($"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync(), Encoding.UTF8);
        while (await reader.ReadLineAsync() is { } line)
        {
            if (!line.StartsWith("data: {", StringComparison.Ordinal))
                continue;
            long now = Stopwatch.GetTimestamp();
            if (first is null)
                first = Stopwatch.GetElapsedTime(start, now);
            else
                gaps.Add(Stopwatch.GetElapsedTime(last, now).TotalMilliseconds);

            last = now;
            if (!line.Contains("\"usage\"", StringComparison.Ordinal))
                continue;
            using JsonDocument chunk = JsonDocument.Parse(line.AsMemory(6));
            if (chunk.RootElement.TryGetProperty("usage", out JsonElement usage) && usage.ValueKind == JsonValueKind.Object)
            {
                promptTokens = usage.GetProperty("prompt_tokens").GetInt32();
                completionTokens = usage.GetProperty("completion_tokens").GetInt32();
            }
        }

        return new StreamTiming(first ?? Stopwatch.GetElapsedTime(start), Stopwatch.GetElapsedTime(start), gaps, promptTokens, completionTokens);
    }
}
