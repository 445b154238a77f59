using System.Diagnostics.Metrics;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Inference.Embedded.Hosting;
using Glimmer.Models;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Embedded.Hosting;

/// <summary>The host with real files and engines.</summary>
public sealed class BundledModelHostTests : IDisposable
{
    private const string GoodNight = "Good night! Sleep well.";
    private static readonly EngineOptions Engine = new() { KvBytes = 16 << 20, Threads = 2, MaxBatch = 4, PrefillTokens = 64 };
    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-host-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Two_models_take_turns_in_a_budget_for_one()
    {
        HostedModel first = new("first", Fixtures.BundledModel) { Engine = Engine };
        long need = new EmbeddedModelLoader(1L << 40, null).Plan(first).Bytes;
        Assert.InRange(need, new FileInfo(Fixtures.BundledModel).Length / 2, 1L << 30);
        await using ModelHost host = new([first, first with { Code = "second" }], new ModelHostOptions { MemoryBytes = need * 3 / 2 });
        foreach (string code in (string[])["first", "second", "first"])
        {
            Assert.Equal(GoodNight, await AskAsync(host, code));
            Assert.Equal([code], host.Statistics.Models.Where(model => model.State == HostedModelState.Loaded).Select(model => model.Code));
        }

        Assert.Equal(need, host.Statistics.UsedBytes);
        Assert.Equal([2, 1], host.Statistics.Models.Select(model => model.Loads));
        Assert.Equal([1, 1], host.Statistics.Models.Select(model => model.Evictions));

        using Meter meter = new("test");
        ModelHostMetrics.Publish(host, meter);
        Dictionary<string, List<(long, string?)>> seen = [];
        using MeterListener listener = new() { InstrumentPublished = (instrument, listening) => { if (instrument.Meter == meter) listening.EnableMeasurementEvents(instrument); } };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (!seen.TryGetValue(instrument.Name, out List<(long, string?)>? values))
                seen[instrument.Name] = values = [];
            values.Add((value, tags.Length == 0 ? null : (string?)tags[0].Value));
        });
        listener.Start();
        listener.RecordObservableInstruments();
        Assert.Equal([(need, null)], seen["glimmer.models.memory.used"]);
        Assert.Equal([(1, "first"), (0, "second")], seen["glimmer.model.loaded"]);
        Assert.Equal([(2, "first"), (1, "second")], seen["glimmer.model.loads"]);
        Assert.Equal([(1, "first"), (1, "second")], seen["glimmer.model.evictions"]);
    }

    [Fact]
    public async Task An_unload_under_traffic_loses_no_answer()
    {
        await using ModelHost host = new([new HostedModel("m", Fixtures.BundledModel) { Engine = Engine }], new ModelHostOptions { MemoryBytes = 1L << 40, Grace = TimeSpan.FromMinutes(10), Patience = TimeSpan.FromMinutes(10) });
        using CancellationTokenSource over = new();
        Task<int>[] traffic = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            int answers = 0;
            do
            {
                Assert.Equal(GoodNight, await AskAsync(host, "m"));
                answers++;
            }
            while (!over.IsCancellationRequested);

            return answers;
        }))];
        for (int i = 0; i < 5; i++)
        {
            await HostedCalls.UntilAsync(() => host.Of("m").InFlight > 0);
            await host.UnloadAsync("m");
        }

        await over.CancelAsync();
        Assert.All(await Task.WhenAll(traffic), answers => Assert.True(answers > 0));
        await HostedCalls.UntilAsync(() => host.Of("m").InFlight == 0);
    }

    [Fact]
    public async Task The_cache_of_a_model_without_a_size_leaves_room_for_others()
    {
        HostedModel model = new("m", Fixtures.BundledModel);
        const long memory = 256 << 20;
        ModelNeed need = new EmbeddedModelLoader(memory, null).Plan(model);
        Assert.InRange(need.Bytes, 1, memory);
        await using ModelHost host = new([model], new ModelHostOptions { MemoryBytes = memory });
        Assert.Equal(GoodNight, await AskAsync(host, "m"));
        Assert.Equal(need.Bytes, host.Statistics.UsedBytes);
    }

    [Fact]
    public async Task A_file_cut_short_in_place_is_an_error_until_it_is_whole_again()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows does not let a mapped file be cut short.");
        string path = Copy();
        await using ModelHost host = Host(path);
        Assert.Equal(GoodNight, await AskAsync(host, "m"));
        byte[] whole = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        using (FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(whole.Length / 3);

        ChatStart start = await host.Backends[0].StartAsync(Request("m"), default);
        Assert.Equal(503, start.Error!.Status);
        Assert.Contains("cut short", host.Of("m").LastError, StringComparison.Ordinal);

        File.Delete(path);
        await File.WriteAllBytesAsync(path, whole, TestContext.Current.CancellationToken);
        Assert.Equal(GoodNight, await AskAsync(host, "m"));
    }

    [Fact]
    public async Task A_file_that_was_replaced_is_loaded_and_one_that_is_gone_goes_on_answering()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows does not let a mapped file be replaced.");
        string path = Copy();
        await using ModelHost host = Host(path);
        Assert.Equal(GoodNight, await AskAsync(host, "m"));
        File.Copy(path, path + ".new");
        File.SetLastWriteTimeUtc(path + ".new", new DateTime(2031, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        File.Move(path + ".new", path, overwrite: true);
        Assert.Equal(GoodNight, await AskAsync(host, "m"));
        Assert.Equal(2, host.Of("m").Loads);

        File.Delete(path);
        Assert.Equal(GoodNight, await AskAsync(host, "m"));
        Assert.Equal(2, host.Of("m").Loads);
        await host.UnloadAsync("m");
        Assert.NotNull((await host.Backends[0].StartAsync(Request("m"), default)).Error);
    }

    [Fact]
    public void Parts_and_folders_are_looked_at_whole()
    {
        foreach (string name in (string[])["x-00001-of-00002.gguf", "x-00002-of-00002.gguf", "y-00001-of-00002.gguf"])
            File.WriteAllText(Path.Combine(_folder, name), "12345");
        using WeightFiles parts = WeightFiles.Open(Path.Combine(_folder, "x-00001-of-00002.gguf"));
        using WeightFiles all = WeightFiles.Open(_folder);
        Assert.Equal((WeightFileState.Unchanged, WeightFileState.Unchanged), (parts.Check(), all.Check()));
        Cut("y-00001-of-00002.gguf");
        Assert.Equal((WeightFileState.Unchanged, WeightFileState.Truncated), (parts.Check(), all.Check()));
        Cut("x-00002-of-00002.gguf");
        Assert.Equal(WeightFileState.Truncated, parts.Check());

        void Cut(string name)
        {
            using FileStream file = new(Path.Combine(_folder, name), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            file.SetLength(2);
        }
    }

    private static ModelHost Host(string path) => new(
        [new HostedModel("m", path) { Engine = Engine }],
        new ModelHostOptions { MemoryBytes = 1L << 40, FileCheckInterval = TimeSpan.Zero, RetryAfter = TimeSpan.Zero });

    private static ChatRequest Request(string code) => BundledBackend.Request(BundledBackend.Row("chat.greeting")) with { Model = code };

    private static async Task<string> AskAsync(ModelHost host, string code)
    {
        ChatStart start = await host.Backends.First(backend => backend.Models[0] == code).StartAsync(Request(code), CancellationToken.None);
        Assert.True(start.Error is null, $"{start.Error?.Message} {host.Of(code).LastError}");
        return await start.Answer!.ReadAsync();
    }

    private string Copy()
    {
        string path = Path.Combine(_folder, "model.gguf");
        File.Copy(Fixtures.BundledModel, path);
        return path;
    }
}
