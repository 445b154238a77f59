using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Tests.Admin;
using Glimmer.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Server.Tests.Routing;

/// <summary>
/// The whole server in front of services on loopback that refuse, hang, break off at random bytes, talk nonsense and lie: every request has one clear
/// outcome, no words of another request in it, none twice, and the ledger holds what was delivered and nothing else.
/// </summary>
public sealed partial class ChaosServerTests
{
    private static readonly int _requests = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), CultureInfo.InvariantCulture, out int asked) ? asked : 400;

    [Fact]
    public async Task Every_request_has_one_outcome_and_the_ledger_is_exact()
    {
        FakeUpstream[] upstreams = [.. Enumerable.Range(0, 4).Select(i => FakeUpstream.Start(new Rogue(i).AnswerAsync))];
        var factory = new BackendFactory(TimeProvider.System, NullLoggerFactory.Instance);
        RoutingOptions options = new()
        {
            Probe = new ProbeOptions { Interval = TimeSpan.Zero },
            Eject = new EjectOptions { Time = TimeSpan.FromMilliseconds(30), LongestTime = TimeSpan.FromMilliseconds(100) },

            // Longer than a service is left alone that said to come back after a second: when all of them have said so, requests wait.
            Wait = TimeSpan.FromMinutes(1),
        };
        ConcurrentBag<Outcome> outcomes = [];
        await using (PooledHarness pool = await PooledHarness.StartAsync(factory.Create, options, null, [.. upstreams.Select((upstream, i) => Define(i, upstream.Address))]))
        {
            await Parallel.ForAsync(0, _requests, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) =>
            {
                // One is killed for good on the way.
                if (i == _requests / 2)
                    await upstreams[3].DisposeAsync();
                outcomes.Add(await AskAsync(pool.Harness.Client, i, stream: i % 2 == 0));
            });

            Assert.Equal(_requests, outcomes.Count);
            Dictionary<string, JsonElement> charged = await ChargedAsync(new AdminServer(pool.Harness));
            foreach (Outcome outcome in outcomes)
            {
                Assert.True(outcome.Fault.Length == 0, $"request {outcome.Number}: {outcome.Fault}");
                if (outcome.Kind == "error")
                {
                    Assert.DoesNotContain(outcome.Id, charged.Keys);
                    continue;
                }

                Assert.True(charged.Remove(outcome.Id, out JsonElement line), $"request {outcome.Number} ({outcome.Kind}) is not in the ledger");
                Assert.Equal(outcome.Kind == "cut", line.GetProperty("failed").GetBoolean());
                if (outcome.Usage is { ValueKind: JsonValueKind.Object } usage)
                    Assert.Equal((usage.GetProperty("prompt_tokens").GetInt64(), usage.GetProperty("completion_tokens").GetInt64()), (Units(line, "input_tokens"), Units(line, "output_tokens")));
            }

            Assert.Empty(charged);
            Assert.True((await new AdminServer(pool.Harness).OkAsync("GET", "/ledger/check")).GetProperty("holds").GetBoolean());
            await Eventually.HoldsAsync(() => pool.Pool.List().All(static backend => backend.InFlight == 0));
            Assert.Contains(pool.Pool.List(), backend => backend.FailedOver > 0);
            string all = string.Join('\n', outcomes.CountBy(outcome => $"{outcome.Kind} {outcome.Said}").OrderByDescending(pair => pair.Value));
            TestContext.Current.TestOutputHelper?.WriteLine(all);
            Assert.True(outcomes.Count(outcome => outcome.Kind == "done") >= _requests / 3, all);
            Assert.Contains(outcomes, outcome => outcome.Kind == "cut");
            Assert.Contains(outcomes, outcome => outcome.Kind == "error");
        }

        foreach (FakeUpstream upstream in upstreams[..3])
            await upstream.DisposeAsync();
    }

    private static BackendDefinition Define(int i, Uri address) => new()
    {
        Name = $"u{i}",
        Kind = BackendKind.OpenAI,
        Url = address,
        Models = [new BackendModel { Code = PooledHarness.Model }],
        MaxInFlight = 8,
        ConnectTimeout = TimeSpan.FromSeconds(20),
        FirstTokenTimeout = TimeSpan.FromSeconds(3),
        StallTimeout = TimeSpan.FromSeconds(3),
    };

    private static async Task<Outcome> AskAsync(HttpClient client, int number, bool stream)
    {
        string body = $$$"""{"model":"glm-4.7","stream":{{{(stream ? "true" : "false")}}},"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"request {{{number}}}."}]}""";
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (!response.IsSuccessStatusCode)
        {
            JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("error");
            string said = error.GetProperty("message").GetString() ?? "";
            return new Outcome(number, "error", "", default, said.Length > 0 ? "" : "an error without a message", said);
        }

        string text = "", id = "", finish = "";
        JsonElement usage = default;
        int ends = 0;
        bool failed = false;
        if (!stream)
        {
            JsonElement whole = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
            text = whole.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
            finish = whole.GetProperty("choices")[0].GetProperty("finish_reason").GetString()!;
            (id, usage, ends) = (whole.GetProperty("id").GetString()!, whole.GetProperty("usage"), 1);
        }
        else
        {
            await foreach (SseEvent item in Eventually.EachAsync(SseReader.ReadAsync(await response.Content.ReadAsStreamAsync())))
            {
                if (item.IsDone)
                {
                    ends++;
                    continue;
                }

                JsonElement chunk = JsonDocument.Parse(item.Data).RootElement;
                if (chunk.TryGetProperty("error", out _))
                {
                    failed = true;
                    ends++;
                    continue;
                }

                id = chunk.GetProperty("id").GetString()!;
                if (chunk.TryGetProperty("usage", out JsonElement counted) && counted.ValueKind == JsonValueKind.Object)
                    usage = counted;
                foreach (JsonElement choice in chunk.GetProperty("choices").EnumerateArray())
                {
                    if (choice.GetProperty("delta").TryGetProperty("content", out JsonElement piece) && piece.ValueKind == JsonValueKind.String)
                        text += piece.GetString();
                    if (choice.GetProperty("finish_reason") is { ValueKind: JsonValueKind.String } said)
                        finish = said.GetString()!;
                }
            }
        }

        id = id.StartsWith("chatcmpl-", StringComparison.Ordinal) ? id["chatcmpl-".Length..] : id;
        string? speaker = Enumerable.Range(0, 4).Select(i => Words(i, number)).FirstOrDefault(words => words.StartsWith(text, StringComparison.Ordinal));
        bool whole1 = speaker == text && finish == "stop" && !failed;
        string fault = speaker is null ? $"foreign or doubled words: {text}"
            : ends == 0 ? "no end"
            : !whole1 && !failed && finish != "network_error" && finish != "stop" ? $"an unclear end: {finish}"
            : finish == "stop" && !failed && speaker != text ? $"cut and called whole: {text}"
            : "";
        return new Outcome(number, whole1 ? "done" : "cut", id, usage, fault);
    }

    private static async Task<Dictionary<string, JsonElement>> ChargedAsync(AdminServer admin)
    {
        Dictionary<string, JsonElement> lines = new(StringComparer.Ordinal);
        string next = "";
        do
        {
            JsonElement page = await admin.OkAsync("GET", $"/accounts/default/requests?limit=500{next}");
            foreach (JsonElement line in page.GetProperty("data").EnumerateArray())
                Assert.True(lines.TryAdd(line.GetProperty("request_id").GetString()!, line), "one request is charged twice");
            next = page.TryGetProperty("next", out JsonElement cursor) && cursor.ValueKind == JsonValueKind.String ? $"&next={Uri.EscapeDataString(cursor.GetString()!)}" : "";
        }
        while (next.Length > 0);
        return lines;
    }

    private static long Units(JsonElement line, string name) => line.GetProperty("units").TryGetProperty(name, out JsonElement units) ? units.GetInt64() : 0;

    private static string Words(int upstream, int number) => string.Concat(Pieces(upstream, number));

    private static string[] Pieces(int upstream, int number) => [$"u{upstream} ", "says ", $"<{number}> ", "is ", "an ", "odd ", $"thing #{number % 13}."];

    private sealed record Outcome(int Number, string Kind, string Id, JsonElement Usage, string Fault, string Said = "");

    /// <summary>A service that misbehaves in another way each time.</summary>
    private sealed partial class Rogue(int me)
    {
        private readonly Random _random = new(me);

        public async Task AnswerAsync(FakeExchange exchange)
        {
            int way, at;
            lock (_random)
                (way, at) = (_random.Next(16), _random.Next(1, 900));
            int number = int.Parse(Number.Match(exchange.Body).Groups["n"].Value, CultureInfo.InvariantCulture);
            byte[] stream = Encoding.UTF8.GetBytes(Stream(number, way));
            switch (way)
            {
                case 0:
                    await exchange.RespondAsync(500, """{"error":{"message":"out of order"}}""");
                    break;
                case 1:
                    await exchange.RespondAsync(429, """{"error":{"message":"too many"}}""", headers: ("Retry-After", "1"));
                    break;
                case 2:
                    exchange.Abort();
                    break;
                case 3:
                    await exchange.ClosedAsync();
                    break;
                case 4:
                    await exchange.RespondAsync(200, "<html>a proxy's page</html>", "text/html");
                    break;
                case 5:
                    await exchange.BeginStreamAsync();
                    await exchange.ClosedAsync();
                    break;
                case 6 or 7 or 8:
                    await exchange.BeginStreamAsync();
                    await exchange.WriteAsync(stream.AsMemory(0, Math.Min(at, stream.Length)));
                    if (way == 8)
                        await exchange.ClosedAsync();
                    else if (way == 7)
                        await exchange.EndAsync();
                    else
                        exchange.Abort();
                    break;
                default:
                    await exchange.BeginStreamAsync();
                    for (int from = 0; from < stream.Length; from += at)
                        await exchange.WriteAsync(stream.AsMemory(from, Math.Min(at, stream.Length - from)));
                    await exchange.EndAsync();
                    break;
            }
        }

        /// <summary>The stream of a proper answer; in some ways its usage lies or is missing.</summary>
        private string Stream(int number, int way)
        {
            StringBuilder text = new();
            foreach (string piece in Pieces(me, number))
                text.Append(CultureInfo.InvariantCulture, $$$"""data: {"id":"c{{{number}}}","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":{{{JsonSerializer.Serialize(piece)}}}},"finish_reason":null}]}""").Append("\n\n");
            string usage = way switch
            {
                9 => "",
                10 => ""","usage":{"prompt_tokens":-5,"completion_tokens":-1,"total_tokens":-6}""",
                11 => ""","usage":{"prompt_tokens":8,"completion_tokens":99999999999,"total_tokens":3}""",
                _ => ""","usage":{"prompt_tokens":8,"completion_tokens":7,"total_tokens":15}""",
            };
            text.Append(CultureInfo.InvariantCulture, $$$"""data: {"id":"c{{{number}}}","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]{{{usage}}}}""").Append("\n\ndata: [DONE]\n\n");
            return text.ToString();
        }

        [GeneratedRegex(@"request (?<n>\d+)\.", RegexOptions.ExplicitCapture, 60_000)]
        private static partial Regex Number { get; }
    }
}
