using System.Security.Cryptography;
using Glimmer.Cli.Hub;

namespace Glimmer.Cli.Tests.Hub;

public sealed class PullTests : IDisposable
{
    private static readonly RetryPolicy _quick = new(4, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(20), TimeProvider.System);
    private readonly string _root = Directory.CreateTempSubdirectory("glimmer-pull-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_safetensors_repository_is_taken_whole_and_verified()
    {
        await using FakeHub hub = await StandardHub();
        (PullPlan plan, string folder) = await PullAsync(hub, "zai-org/GLM-Fake");
        Assert.Equal(["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json"], plan.Take.Select(file => file.Path));
        foreach (HubFile file in plan.Take)
            Assert.Null(await FileChecksum.FaultAsync(Path.Combine(folder, file.Path), file, null, default));
        (string found, ModelManifest? manifest, string? fault) = Assert.Single(new ModelStore(_root).List());
        Assert.Null(fault);
        Assert.Equal(folder, found);
        Assert.Equal("zai-org/GLM-Fake", manifest!.Reference);
        Assert.Empty(Directory.GetFiles(folder, "*.part*"));
    }

    [Fact]
    public async Task A_second_pull_takes_nothing()
    {
        await using FakeHub hub = await StandardHub();
        await PullAsync(hub, "zai-org/GLM-Fake");
        int downloads = hub.Downloads;
        (PullPlan plan, _) = await PullAsync(hub, "zai-org/GLM-Fake");
        Assert.Empty(plan.Take);
        Assert.Equal(5, plan.Present.Count);
        Assert.Equal(downloads, hub.Downloads);
    }

    [Fact]
    public async Task A_file_changed_on_disk_is_taken_again()
    {
        await using FakeHub hub = await StandardHub();
        (_, string folder) = await PullAsync(hub, "zai-org/GLM-Fake");
        string config = Path.Combine(folder, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace('g', 'h'));
        (PullPlan plan, _) = await PullAsync(hub, "zai-org/GLM-Fake");
        Assert.Equal("config.json", Assert.Single(plan.Take).Path);
    }

    [Theory]
    [InlineData("zai-org/GLM-Fake:Q8_0", "glm-Q8_0.gguf")]
    [InlineData("zai-org/GLM-Fake:q4_k_m", "glm-Q4_K_M-00001-of-00002.gguf|glm-Q4_K_M-00002-of-00002.gguf")]
    public async Task One_quantisation_is_chosen_with_all_its_parts(string reference, string expected)
    {
        await using FakeHub hub = await StandardHub();
        (PullPlan plan, _) = await PullAsync(hub, reference);
        Assert.Equal(expected.Split('|'), plan.Take.Select(file => file.Path));
    }

    [Fact]
    public async Task An_unknown_quantisation_is_refused_with_the_list()
    {
        await using FakeHub hub = await StandardHub();
        HubException refusal = await Assert.ThrowsAsync<HubException>(() => PullAsync(hub, "zai-org/GLM-Fake:Q2_K"));
        Assert.Contains("Q8_0", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("Q4_K_M", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_in_pages_is_read_to_its_end()
    {
        await using FakeHub hub = await StandardHub();
        hub.PageSize = 2;
        (PullPlan plan, _) = await PullAsync(hub, "zai-org/GLM-Fake");
        Assert.Equal(5, plan.Take.Count);
    }

    [Fact]
    public async Task A_cut_connection_goes_on_where_it_was_cut()
    {
        await using FakeHub hub = await StandardHub();
        hub.CutAfter = (path, _) => path.EndsWith(".safetensors", StringComparison.Ordinal) ? 70_000 : null;
        (PullPlan plan, string folder) = await PullAsync(hub, "zai-org/GLM-Fake");
        await AssertWholeAsync(plan, folder);
        Assert.True(hub.BytesServed <= plan.Take.Sum(file => file.Size) + 200_000, $"{hub.BytesServed} bytes were served: the pull began again instead of going on.");
    }

    [Fact]
    public async Task An_interrupted_pull_goes_on_in_the_next_run()
    {
        await using FakeHub hub = await StandardHub();
        hub.CutAfter = (path, number) => path.EndsWith("00002-of-00002.safetensors", StringComparison.Ordinal) ? number == 1 ? 150_000 : 0 : null;
        await Assert.ThrowsAsync<HubException>(() => PullAsync(hub, "zai-org/GLM-Fake", connections: 1));
        hub.CutAfter = (_, _) => null;
        (PullPlan plan, string folder) = await PullAsync(hub, "zai-org/GLM-Fake");
        Assert.True(plan.Arrived > 100_000, $"only {plan.Arrived} bytes were kept");
        await AssertWholeAsync(plan, folder);
    }

    [Fact]
    public async Task Storage_without_ranges_still_gives_the_file()
    {
        await using FakeHub hub = await StandardHub();
        hub.Ranges = false;
        hub.CutAfter = (path, number) => number == 2 ? 10_000 : null;
        (PullPlan plan, string folder) = await PullAsync(hub, "zai-org/GLM-Fake");
        await AssertWholeAsync(plan, folder);
    }

    [Theory]
    [InlineData(429, 1)]
    [InlineData(503, 0)]
    [InlineData(403, 0)]
    public async Task A_temporary_refusal_is_tried_again(int status, int retryAfter)
    {
        await using FakeHub hub = await StandardHub();
        hub.Refuse = number => number % 2 == 1 && number < 12 ? (status, retryAfter) : null;
        (PullPlan plan, string folder) = await PullAsync(hub, "zai-org/GLM-Fake", connections: 1);
        await AssertWholeAsync(plan, folder);
    }

    [Fact]
    public async Task A_wrong_checksum_is_fetched_once_more()
    {
        await using FakeHub hub = await StandardHub();
        bool damaged = false;
        hub.Damage = (path, _) => path.Contains("00001", StringComparison.Ordinal) && !damaged && (damaged = true);
        (PullPlan plan, string folder) = await PullAsync(hub, "zai-org/GLM-Fake");
        Assert.True(damaged);
        await AssertWholeAsync(plan, folder);
    }

    [Fact]
    public async Task A_checksum_that_stays_wrong_is_refused_and_nothing_is_left_under_the_name()
    {
        await using FakeHub hub = await StandardHub();
        hub.Damage = (path, _) => path == "config.json";
        HubException refusal = await Assert.ThrowsAsync<HubException>(() => PullAsync(hub, "zai-org/GLM-Fake"));
        Assert.Contains("config.json", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("checksum", refusal.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_root, "zai-org", "GLM-Fake", "config.json")));
    }

    [Fact]
    public async Task The_token_goes_to_the_hub_and_never_to_its_storage()
    {
        await using FakeHub hub = await StandardHub();
        hub.Token = "hf_secret";
        HubException refusal = await Assert.ThrowsAsync<HubException>(() => PullAsync(hub, "zai-org/GLM-Fake"));
        Assert.Contains("HF_TOKEN", refusal.Message, StringComparison.Ordinal);
        (PullPlan plan, string folder) = await PullAsync(hub, "zai-org/GLM-Fake", token: "hf_secret");
        await AssertWholeAsync(plan, folder);
        Assert.Empty(hub.TokensSeenByStorage);
    }

    [Fact]
    public async Task An_unknown_repository_is_named()
    {
        await using FakeHub hub = await StandardHub();
        HubException refusal = await Assert.ThrowsAsync<HubException>(() => PullAsync(hub, "zai-org/GLM-Nothing"));
        Assert.Contains("zai-org/GLM-Nothing", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("a/../../b.json")]
    [InlineData("a\\..\\b.json")]
    [InlineData("C:evil.json")]
    public async Task A_hostile_path_stops_the_pull_before_it_starts(string path)
    {
        await using FakeHub hub = await StandardHub();
        hub.NameInTree = name => name == "config.json" ? path : name;
        HubException refusal = await Assert.ThrowsAsync<HubException>(() => PullAsync(hub, "zai-org/GLM-Fake"));
        Assert.Contains("nothing was downloaded", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, hub.Downloads);
    }

    [Fact]
    public async Task ModelScope_speaks_another_protocol_with_the_same_result()
    {
        await using FakeHub hub = await StandardHub();
        (PullPlan plan, string folder) = await PullAsync(hub, "zai-org/GLM-Fake", choice: "modelscope");
        await AssertWholeAsync(plan, folder);
        Assert.All(plan.Take, file => Assert.Equal(ChecksumKind.Sha256, file.Kind));
    }

    [Fact]
    public async Task A_file_of_many_segments_is_put_together_right()
    {
        await using FakeHub hub = await FakeHub.StartAsync();
        byte[] big = new byte[(int)(2 * PartFile.SegmentBytes + 12_345)];
        new Random(5).NextBytes(big);
        hub.Add("glm-Q8_0.gguf", big);
        int cuts = 0;
        hub.CutAfter = (_, _) => Interlocked.Increment(ref cuts) <= 3 ? 20_000_000 : null;
        (PullPlan plan, string folder) = await PullAsync(hub, "zai-org/GLM-Fake:Q8_0");
        Assert.Equal(SHA256.HashData(big), SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(folder, "glm-Q8_0.gguf"))));
        Assert.Equal(big.Length, plan.BytesToTake);
    }

    [Fact]
    public async Task A_model_that_does_not_fit_is_refused_before_a_byte_is_taken()
    {
        await using FakeHub hub = await FakeHub.StartAsync();
        hub.Add("glm-Q8_0.gguf", new byte[3_000_000]);
        using SmallDisk disk = SmallDisk.Mount();
        HubException refusal = await Assert.ThrowsAsync<HubException>(() => PullAsync(hub, "zai-org/GLM-Fake:Q8_0", root: disk.Path));
        Assert.Contains("are free there", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, hub.Downloads);
    }

    [Fact]
    public async Task A_disk_that_fills_up_on_the_way_is_said_and_what_arrived_is_kept()
    {
        await using FakeHub hub = await FakeHub.StartAsync();
        byte[] content = new byte[3_000_000];
        new Random(9).NextBytes(content);
        hub.Add("glm-Q8_0.gguf", content);
        using SmallDisk disk = SmallDisk.Mount();
        Uri endpoint = hub.Address;
        using HubClient client = new(endpoint, null, _quick);
        HuggingFaceHub real = new(endpoint, client);
        Assert.True(ModelReference.TryParse("zai-org/GLM-Fake:Q8_0", out ModelReference? reference, out _));
        IReadOnlyList<HubFile> files = FileSelection.Choose(reference, await real.ListAsync(reference, default));
        HubException refusal = await Assert.ThrowsAsync<HubException>(() =>
            new Downloader(real, client, 2, _quick).FetchAsync(reference, files, disk.Path, new SilentObserver(), default));
        Assert.Contains("full", refusal.Message, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(disk.Path, "glm-Q8_0.gguf.part")));
    }

    private static async Task<FakeHub> StandardHub()
    {
        Random random = new(42);
        byte[] Noise(int length)
        {
            byte[] bytes = new byte[length];
            random.NextBytes(bytes);
            return bytes;
        }

        return (await FakeHub.StartAsync())
            .Add("README.md", "# not needed")
            .Add("config.json", "{\"model_type\": \"glm4\"}")
            .Add("tokenizer.json", "{}")
            .Add("model.safetensors.index.json", "{\"weight_map\": {}}")
            .Add("model-00001-of-00002.safetensors", Noise(300_000))
            .Add("model-00002-of-00002.safetensors", Noise(200_001))
            .Add("glm-Q8_0.gguf", Noise(5_000))
            .Add("glm-Q4_K_M-00001-of-00002.gguf", Noise(3_000))
            .Add("glm-Q4_K_M-00002-of-00002.gguf", Noise(2_000))
            .Add("mmproj-glm-Q8_0.gguf", Noise(2_000));
    }

    private async Task<(PullPlan Plan, string Folder)> PullAsync(FakeHub fake, string name, string? token = null, string? choice = null, int connections = 4, string? root = null)
    {
        Assert.True(ModelReference.TryParse(name, out ModelReference? reference, out _));
        string? Environment(string key) => key switch
        {
            "HF_ENDPOINT" or "MODELSCOPE_ENDPOINT" => fake.Address.ToString(),
            "HF_TOKEN" => token,
            _ => null,
        };
        (IHub hub, HubClient client) = Hubs.Open(choice, _quick, Environment);
        using (client)
        {
            Pull pull = new(hub, new ModelStore(root ?? _root));
            PullPlan plan = await pull.PlanAsync(reference, default);
            await pull.RunAsync(plan, client, connections, _quick, new SilentObserver(), default);
            return (plan, plan.Folder);
        }
    }

    private static async Task AssertWholeAsync(PullPlan plan, string folder)
    {
        foreach (HubFile file in plan.Take)
            Assert.Null(await FileChecksum.FaultAsync(Path.Combine(folder, file.Path), file, null, default));
    }

    private sealed class SilentObserver : IDownloadObserver
    {
        public void Received(HubFile file, long bytes)
        {
        }

        public void Completed(HubFile file)
        {
        }
    }
}
