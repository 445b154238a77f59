using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Glimmer.Load;

/// <summary>
/// Which share of the prompts' tokens was found computed, in conversations of several turns: one process with the bundled model, and four of them behind one that routes by prefix,
/// or by load alone.
/// </summary>
internal static class Affinity
{
    private const int Turns = 6;

    public static async Task RunAsync(string program, int conversations, int atOnce)
    {
        double single;
        await using (ServerProcess alone = await StartBackendAsync(program))
            single = await ShareAsync("one process", alone.Address, alone.Key, conversations, atOnce);

        foreach (string policy in (string[])["affinity", "load"])
        {
            List<ServerProcess> backends = [];
            string file = Path.Combine(Path.GetTempPath(), $"glimmer-affinity-{Environment.ProcessId}.yaml");
            try
            {
                for (int i = 0; i < 4; i++)
                    backends.Add(await StartBackendAsync(program));
                await File.WriteAllTextAsync(file, Relay.Backends([.. backends.Select(backend => backend.Address)], "zai", policy, [.. backends.Select(backend => backend.Key)]));
                await using ServerProcess front = await ServerProcess.FrontAsync(program, file);
                double shared = await ShareAsync($"four behind policy {policy}", front.Address, front.Key, conversations, atOnce);
                Console.WriteLine($"  {shared / single:0.0 %} of the share of one process");
            }
            finally
            {
                foreach (ServerProcess backend in backends)
                    await backend.DisposeAsync();
                File.Delete(file);
            }
        }
    }

    private static Task<ServerProcess> StartBackendAsync(string program) => ServerProcess.StartAsync(program, ["--threads", "1", "--set", "Log:Level=Warning"]);

    private static async Task<double> ShareAsync(string title, Uri server, string key, int conversations, int atOnce)
    {
        using HttpClient client = new(new SocketsHttpHandler { MaxConnectionsPerServer = 1000 }) { Timeout = TimeSpan.FromMinutes(5) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        long prompt = 0, cached = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, conversations), new ParallelOptions { MaxDegreeOfParallelism = atOnce }, async (index, cancel) =>
        {
            JsonArray messages = [Message("system", $"{Words.Number(index)} " + string.Join(' ', Enumerable.Range(0, 120).Select(i => Words.At((i * 5) + index))))];
            for (int turn = 0; turn < Turns; turn++)
            {
                messages.Add(Message("user", $"{Words.At(turn + index)}: " + string.Join(' ', Enumerable.Range(0, 20).Select(i => Words.At(i + turn)))));
                string body = new JsonObject { ["model"] = "glm-4.7", ["do_sample"] = false, ["max_tokens"] = 16, ["thinking"] = new JsonObject { ["type"] = "disabled" }, ["messages"] = messages.DeepClone() }.ToJsonString();
                using StringContent content = new(body, MediaTypeHeaderValue.Parse("application/json"));
                using HttpResponseMessage response = await client.PostAsync(new Uri(server, "/api/paas/v4/chat/completions"), content, cancel);
                string text = await response.Content.ReadAsStringAsync(cancel);
                if (!response.IsSuccessStatusCode)
                    throw new InvalidOperationException($"{(int)response.StatusCode}: {text}");
                using JsonDocument answer = JsonDocument.Parse(text);
                JsonElement usage = answer.RootElement.GetProperty("usage");
                Interlocked.Add(ref prompt, usage.GetProperty("prompt_tokens").GetInt32());
                Interlocked.Add(ref cached, usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
                messages.Add(Message("assistant", answer.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString() ?? ""));
            }
        });
        double share = (double)cached / prompt;
        Console.WriteLine($"{$"{title}, {conversations} conversations of {Turns} turns, {atOnce} at once",-72} {share,8:0.0 %} of {prompt} prompt tokens were cached");
        return share;
    }

    private static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };
}
