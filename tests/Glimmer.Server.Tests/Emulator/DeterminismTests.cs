using System.Text;
using System.Text.Json.Nodes;
using Glimmer.Server.Tests.Answers;

namespace Glimmer.Server.Tests.Emulator;

public sealed class DeterminismTests
{
    private const string Yaml = """
        models: [glm-4.7]
        rules:
          - { when: { last: tools }, reply: { thinking: hm, text: Look., tool_calls: [{ name: f, arguments: { a: 1 } }, { name: g, arguments: {} }] } }
          - { when: { last: error }, reply: { error: { code: 1302, retry_after: 3 } } }
          - { when: { last: cut }, reply: { text: one two three four, cut_after: 2 } }
        fallback: { thinking: Let me see., text: "Hello, 世界 🌍!", delay: 0.001, jitter: 0.01 }
        embeddings: [{ model: embedding-3, dimensions: 16 }]
        """;

    public static TheoryData<string> Dialects => [.. DialectVoice.All.Keys];

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task The_same_seed_scenario_and_requests_give_the_same_bytes(string dialect)
    {
        string one = await PlayAsync(dialect, 5, reset: false), same = await PlayAsync(dialect, 5, reset: false), other = await PlayAsync(dialect, 6, reset: false);

        Assert.Equal(one, same);
        Assert.NotEqual(one, other);
        Assert.Contains("Thu, 01 Jan 2026 00:00:00 GMT", one, StringComparison.Ordinal);
        Assert.Contains("2026010108000", one, StringComparison.Ordinal);
        Assert.Equal(one + one, await PlayAsync(dialect, 5, reset: true));
    }

    [Fact]
    public async Task Without_a_seed_ids_are_taken_by_chance()
    {
        Assert.NotEqual(await PlayAsync("native", null, reset: false), await PlayAsync("native", null, reset: false));
    }

    /// <summary>Everything that came back, heads and bodies, from a server of its own.</summary>
    private static async Task<string> PlayAsync(string dialect, ulong? seed, bool reset)
    {
        await using EmulatorHarness emulator = await EmulatorHarness.StartAsync(Yaml, seed);
        DialectVoice voice = DialectVoice.All[dialect];
        StringBuilder heard = new();
        for (int round = 0; round < (reset ? 2 : 1); round++)
        {
            if (round > 0)
                (await emulator.SendAsync(HttpMethod.Post, "/emulator/reset")).Answer.Dispose();
            foreach (string question in new[] { "hello", "tools", "error", "cut", "hello" })
            {
                foreach (bool stream in new[] { false, true })
                {
                    JsonObject body = voice.Ask(question, thinking: true);
                    if (question == "tools")
                        body["tools"] = voice.Continue()["tools"]!.DeepClone();
                    (string path, string text) = voice.Form(body, stream);
                    await HearAsync(HttpMethod.Post, path, text);
                }
            }

            await HearAsync(HttpMethod.Post, "/v1/embeddings", """{"model":"embedding-3","input":["a","b"]}""");
            await HearAsync(HttpMethod.Get, "/v1/models", null);
            await HearAsync(HttpMethod.Post, voice.Path, "{");
        }

        return heard.ToString();

        async Task HearAsync(HttpMethod method, string path, string? body)
        {
            (int status, string text, HttpResponseMessage answer) = await emulator.SendAsync(method, path, body);
            using (answer)
            {
                heard.Append(status).Append('\n');
                foreach ((string name, IEnumerable<string> values) in answer.Headers.Concat(answer.Content.Headers).OrderBy(header => header.Key, StringComparer.Ordinal))
                    heard.Append(name).Append(": ").AppendJoin(", ", values).Append('\n');
                heard.Append(text).Append('\n');
            }
        }
    }
}
