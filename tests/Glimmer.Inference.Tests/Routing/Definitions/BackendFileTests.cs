using System.Globalization;
using System.Text;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;

namespace Glimmer.Inference.Tests.Routing.Definitions;

public sealed class BackendFileTests : IDisposable
{
    private const string Whole = """
        backends:
          - name: gpu-1
            kind: vllm
            url: http://10.0.0.5:8000
            weight: 200
            max_in_flight: 64
            connect_timeout: 500ms
            first_token_timeout: 2m
            stall_timeout: 30
            models:
              - glm-4.7
              - {code: glm-5, name: "zai-org/GLM-5", generation: glm-4.7, tokenizer: tok/tokenizer.json, context_length: 131072}
          - name: cloud
            kind: zai
            url: https://api.z.ai/api/paas/v4
            api_key: env:GLIMMER_TEST_BACKEND_KEY
            headers: {X-Team: research, X-Secret: "file:secret.txt"}
            weight: 0
            models: [glm-4.7]
          - {name: chatty, kind: llama-server, mode: chat, media_addresses: public, url: "http://127.0.0.1:8081", models: [small]}
        routing:
          policy: load
          load_factor: 1.5
          free_load: 2
          attempts: 4
          failover_within: 1m
          hedge_after: 1500ms
          wait: 0
          wait_length: 5
          embedded_weight: 7
          stand_in: glm-4.7
          probe: {interval: 10s, timeout: 2s, failures: 4, successes: 1}
          eject: {failures: 0, rate: 0.25, samples: 62, time: 5s, longest_time: 1m, share: 0.3}
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-backends-").FullName;

    public BackendFileTests()
    {
        Environment.SetEnvironmentVariable("GLIMMER_TEST_BACKEND_KEY", " k-1 ");
        File.WriteAllText(Path.Combine(_folder, "secret.txt"), "s-1\nmore\n");
    }

    [Fact]
    public void A_whole_file_says_what_it_says()
    {
        BackendSet set = Read(Whole);
        BackendDefinition gpu = set.Backends[0], cloud = set.Backends[1];
        Assert.Equal(("gpu-1", BackendKind.Vllm, "http://10.0.0.5:8000/", 200, 64, false), (gpu.Name, gpu.Kind, gpu.Url.AbsoluteUri, gpu.Weight, gpu.MaxInFlight, gpu.ChatMode));
        Assert.Equal((0.5, 120, 30), (gpu.ConnectTimeout.TotalSeconds, gpu.FirstTokenTimeout.TotalSeconds, gpu.StallTimeout.TotalSeconds));
        Assert.Equal(new BackendModel { Code = "glm-4.7" }, gpu.Models[0]);
        Assert.Equal(new BackendModel { Code = "glm-5", Name = "zai-org/GLM-5", Generation = "glm-4.7", Tokenizer = Path.Combine(_folder, "tok", "tokenizer.json"), ContextLength = 131072 }, gpu.Models[1]);
        Assert.Equal(("k-1", 0, "research", "s-1"), (cloud.ApiKey, cloud.Weight, cloud.Headers["x-team"], cloud.Headers["X-Secret"]));
        Assert.True(set.Backends[2].ChatMode);
        Assert.Equal((null, MediaAddresses.Public), (gpu.MediaAddresses, set.Backends[2].MediaAddresses));
        Assert.Equal(
            new RoutingOptions
            {
                Policy = RoutingPolicy.Load,
                LoadFactor = 1.5,
                FreeLoad = 2,
                Attempts = 4,
                FailoverWithin = TimeSpan.FromMinutes(1),
                HedgeAfter = TimeSpan.FromSeconds(1.5),
                Wait = TimeSpan.Zero,
                WaitLength = 5,
                EmbeddedWeight = 7,
                StandIn = "glm-4.7",
                Probe = new ProbeOptions { Interval = TimeSpan.FromSeconds(10), Timeout = TimeSpan.FromSeconds(2), Failures = 4, Successes = 1 },
                Eject = new EjectOptions { Failures = 0, Rate = 0.25, Samples = 62, Time = TimeSpan.FromSeconds(5), LongestTime = TimeSpan.FromMinutes(1), Share = 0.3 },
            },
            set.Routing);
        Assert.Empty(set.Warnings);
        Assert.True(set.SaysTheSameAs(Read(Whole)));
        Assert.False(set.SaysTheSameAs(Read(Whole.Replace("research", "sales", StringComparison.Ordinal))));
        Assert.False(set.SaysTheSameAs(Read(Whole.Replace("weight: 200", "weight: 201", StringComparison.Ordinal))));
        Assert.Equal(new RoutingOptions(), Read("backends: []").Routing);
    }

    [Fact]
    public void A_key_that_stands_in_the_file_is_warned_of()
    {
        BackendSet set = Read("backends:\n- {name: a, kind: openai, url: 'https://x.example', api_key: sk-secret, models: [m]}");
        Assert.Equal("sk-secret", set.Backends[0].ApiKey);
        Assert.Contains("line 2", Assert.Single(set.Warnings), StringComparison.Ordinal);
        Assert.DoesNotContain("sk-secret", set.Warnings[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("url: 'https://x.example/openai/deployments/d?api-version=2024-10-21', kind: openai")]
    [InlineData("kind: openai, url: 'https://x.example/openai/deployments/d?api-version=2024-10-21'")]
    public void An_address_of_openai_may_have_a_query(string keys) =>
        Assert.Equal("?api-version=2024-10-21", Assert.Single(Read($"backends:\n- {{name: a, {keys}, models: [m]}}").Backends).Url.Query);

    [Theory]
    [InlineData("", 1, "empty")]
    [InlineData("backends: [", 2, "not YAML")]
    [InlineData("a: &x 1\nbackends: *x", 1, "anchors")]
    [InlineData("routing: {}", 1, "backends is missing")]
    [InlineData("backends: []\nbackend: []", 2, "\"backend\"")]
    [InlineData("backends: {}", 1, "must be a list")]
    [InlineData("backends:\n- x", 2, "a backend")]
    [InlineData("backends:\n- {name: a b}", 2, "name is \"a b\"")]
    [InlineData("backends:\n- {name: a}", 2, "has no kind")]
    [InlineData("backends:\n- name: a\n  kind: vlm", 3, "vllm, sglang, llama-server")]
    [InlineData("backends:\n- name: a\n  kind: vllm\n  url: gpu-1:8000", 4, "http")]
    [InlineData("backends:\n- name: a\n  kind: vllm\n  url: http://u:p@x", 4, "api_key")]
    [InlineData("backends:\n- url: http://x#y", 2, "url")]
    [InlineData("backends:\n- name: a\n  kind: zai\n  url: http://x?y=1\n  models: [m]", 4, "only the kind openai")]
    [InlineData("backends:\n- {name: a, url: 'http://x?y=1', kind: vllm, models: [m]}", 2, "only the kind openai")]
    [InlineData("backends:\n- media_addresses: all", 2, "none, public or any")]
    [InlineData("backends:\n- weight: 1001", 2, "0 to 1000")]
    [InlineData("backends:\n- weight: -1", 2, "0 to 1000")]
    [InlineData("backends:\n- weight: [1]", 2, "must be a text")]
    [InlineData("backends:\n- max_in_flight: 0", 2, "1 to 1000000")]
    [InlineData("backends:\n- connect_timeout: soon", 2, "500ms, 5s or 2m")]
    [InlineData("backends:\n- connect_timeout: 99999999999999999999s", 2, "500ms, 5s or 2m")]
    [InlineData("backends:\n- connect_timeout: NaN", 2, "500ms, 5s or 2m")]
    [InlineData("backends:\n- models: []", 2, "at least one")]
    [InlineData("backends:\n- models: [a, A]", 2, "comes twice")]
    [InlineData("backends:\n- models: [{name: x}]", 2, "no code")]
    [InlineData("backends:\n- models: [{code: x, generation: gpt-9}]", 2, "generation")]
    [InlineData("backends:\n- models: ['a b']", 2, "letters")]
    [InlineData("backends:\n- api_key: env:GLIMMER_TEST_NOT_SET", 2, "GLIMMER_TEST_NOT_SET, which is not set")]
    [InlineData("backends:\n- api_key: file:nothing.txt", 2, "nothing.txt cannot be read")]
    [InlineData("backends:\n- headers: {Host: x}", 2, "Host")]
    [InlineData("backends:\n- headers: {'a b': x}", 2, "no name of a header")]
    [InlineData("backends:\n- mode: both", 2, "raw or chat")]
    [InlineData("backends:\n- {name: a, kind: zai, url: 'http://x', models: [m], mode: chat}", 2, "leave it out for zai")]
    [InlineData("backends:\n- {name: a, kind: zai, url: 'http://x', models: [{code: m, tokenizer: t}]}", 2, "raw mode")]
    [InlineData("backends:\n- {name: a, kind: zai, url: 'http://x', models: [m]}\n- {name: A, kind: zai, url: 'http://x', models: [m]}", 3, "comes twice")]
    [InlineData("backends:\n- {name: a, name: b}", 2, "comes twice")]
    [InlineData("backends: []\nrouting:\n  policy: best", 3, "affinity or load")]
    [InlineData("backends: []\nrouting:\n  load_factor: 1", 3, "1.01 to 10")]
    [InlineData("backends: []\nrouting:\n  probe: {interval: 1ms}", 3, "0.1s")]
    [InlineData("backends: []\nrouting:\n  eject: {samples: 63}", 3, "1 to 62")]
    [InlineData("backends: []\nrouting:\n  hedge: 1s", 3, "hedge_after")]
    [InlineData("backends: []\nrouting:\n  stand_in: glm-4.7", 3, "no backend of this file has")]
    [InlineData("backends: []\n---\nbackends: []", 2, "second document")]
    public void What_is_wrong_is_told_in_one_line_with_its_place(string yaml, int line, string part)
    {
        BackendFileException fault = Assert.Throws<BackendFileException>(() => Read(yaml));
        Assert.Contains($"backends.yaml, line {line}:", fault.Message, StringComparison.Ordinal);
        Assert.Contains(part, fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', fault.Message);
    }

    [Fact]
    public void A_file_that_is_not_there_or_too_large_is_told()
    {
        Assert.Contains("cannot be read", Assert.Throws<BackendFileException>(() => BackendFile.ReadFile(Path.Combine(_folder, "none.yaml"))).Message, StringComparison.Ordinal);
        string large = Path.Combine(_folder, "large.yaml");
        File.WriteAllText(large, new string('#', BackendFile.LargestFile + 1));
        Assert.Contains("larger", Assert.Throws<BackendFileException>(() => BackendFile.ReadFile(large)).Message, StringComparison.Ordinal);
        Assert.Contains("nested", Assert.Throws<BackendFileException>(() => Read($"backends: {new string('[', 500)}{new string(']', 500)}")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Whatever_bytes_come_it_is_a_set_or_an_error_of_one_kind()
    {
        int cases = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), CultureInfo.InvariantCulture, out int asked) ? asked : 2000;
        Random random = new(20261121);
        byte[] seed = Encoding.UTF8.GetBytes(Whole);
        int read = 0;
        for (int i = 0; i < cases; i++)
        {
            byte[] bytes = [.. seed];
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                int at = random.Next(bytes.Length), length = random.Next(1, 12);
                bytes = random.Next(3) switch
                {
                    0 => [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + length)..]],
                    1 => [.. bytes[..at], .. seed.AsSpan(random.Next(seed.Length - length), length), .. bytes[at..]],
                    _ => [.. bytes[..at], (byte)random.Next(256), .. bytes[(at + 1)..]],
                };
                if (bytes.Length == 0)
                    bytes = [(byte)'a'];
            }

            try
            {
                Read(Encoding.UTF8.GetString(bytes));
                read++;
            }
            catch (BackendFileException fault)
            {
                Assert.DoesNotContain('\n', fault.Message);
            }
        }

        Assert.InRange(read, 1, cases - 1);
    }

    private BackendSet Read(string yaml) => BackendFile.Read(new StringReader(yaml), Path.Combine(_folder, "backends.yaml"));

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
