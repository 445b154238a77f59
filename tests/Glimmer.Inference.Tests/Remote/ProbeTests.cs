using Glimmer.Engine.Packages;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Remote;
using Glimmer.Inference.Tests.Embedded;
using Glimmer.Inference.Tests.Remote.Fakes;
using Glimmer.Testing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Inference.Tests.Remote;

public sealed class ProbeTests
{
    [Theory]
    [InlineData("vllm", "vLLM 0.11.2", 3, 2, 0.25)]
    [InlineData("sglang", "SGLang 0.5.5", 1, 0, 0.5)]
    [InlineData("llama", "llama-server b1-de3ff81", 1, null, null)]
    public async Task Says_what_the_engine_says_of_itself(string name, string server, int running, int? waiting, double? cache)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        Assert.False(backend.IsReady);
        BackendProbe probe = await backend.ProbeAsync(CancellationToken.None);
        Assert.True(probe.Alive, probe.Detail);
        Assert.True(backend.IsReady);
        Assert.Equal((server, running, waiting, cache), (probe.Server, probe.Running, probe.Waiting, probe.CacheUsage));
        Assert.Contains("glimmer-tiny as glm-4.7 with 512 tokens", probe.Detail, StringComparison.Ordinal);
        Assert.Equal(14, await backend.CountTokensAsync(BundledBackend.Request(BundledBackend.Row("chat.greeting")), CancellationToken.None));
        Assert.Equal("glm-4.7", await ((ITokenizerBackend)backend).UseTokenizerAsync("glimmer-tiny", (_, generation) => generation.Name, CancellationToken.None));
    }

    [Fact]
    public async Task Gauges_of_a_llama_server_that_offers_them_are_read()
    {
        await using FakeLlamaServer engine = new() { HasMetrics = true };
        await engine.StartAsync();
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        BackendProbe probe = await backend.ProbeAsync(CancellationToken.None);
        Assert.Equal((2, 5), (probe.Running, probe.Waiting));
    }

    [Theory]
    [InlineData("vllm")]
    [InlineData("sglang")]
    [InlineData("llama")]
    public async Task Another_vocabulary_is_noticed_and_nothing_is_asked(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        engine.Intercept = async http =>
        {
            if (http.Request.Path != "/tokenize")
                return false;
            await http.Response.WriteAsJsonAsync(new { tokens = new[] { 1, 2, 3 } });
            return true;
        };
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        BackendProbe probe = await backend.ProbeAsync(CancellationToken.None);
        Assert.False(probe.Alive || backend.IsReady);
        Assert.Contains("The quick brown fox", probe.Detail, StringComparison.Ordinal);
        ChatStart start = await backend.StartAsync(BundledBackend.Request(BundledBackend.Row("chat.greeting")), CancellationToken.None);
        Assert.Equal(StartFault.Backend, start.Fault);
        Assert.Empty(engine.Calls);

        // Put right, it is ready.
        engine.Intercept = null;
        Assert.True((await backend.ProbeAsync(CancellationToken.None)).Alive);
    }

    [Fact]
    public async Task An_engine_that_cannot_tokenise_is_used_and_that_is_said()
    {
        await using FakeSGLang engine = new() { HasTokenize = false };
        await engine.StartAsync();
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        BackendProbe probe = await backend.ProbeAsync(CancellationToken.None);
        Assert.True(probe.Alive);
        Assert.Contains("not compared", probe.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_sglang_without_its_old_names_is_known_by_the_new_ones()
    {
        await using FakeSGLang engine = new() { HasNewNames = true };
        await engine.StartAsync();
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        BackendProbe probe = await backend.ProbeAsync(CancellationToken.None);
        Assert.True(probe.Alive, probe.Detail);
        Assert.Equal("SGLang 0.5.5", probe.Server);
    }

    [Fact]
    public async Task The_vocabulary_of_a_llama_server_on_this_machine_is_found()
    {
        await using FakeLlamaServer engine = new();
        await engine.StartAsync();
        static BackendDefinition Without(BackendDefinition definition) => definition with { Models = [new BackendModel { Code = "glm-4.7", Name = null }] };
        await using IRemoteBackend found = RemoteEngines.Backend(engine, Without);
        Assert.True((await found.ProbeAsync(CancellationToken.None)).Alive);

        engine.ModelPath = "/nowhere/model.gguf";
        await using IRemoteBackend missing = RemoteEngines.Backend(engine, Without);
        BackendProbe probe = await missing.ProbeAsync(CancellationToken.None);
        Assert.False(probe.Alive);
        Assert.Contains("tokenizer.json", probe.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_the_engine_does_not_have_is_noticed()
    {
        await using FakeVllm engine = new() { Model = "another" };
        await engine.StartAsync();
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        Assert.Contains("no model 'glimmer-tiny'; it has another", (await backend.ProbeAsync(CancellationToken.None)).Detail, StringComparison.Ordinal);

        // Under the name that the engine knows it by.
        await using IRemoteBackend named = RemoteEngines.Backend(engine, definition => definition with { Models = [definition.Models[0] with { Name = "another" }] });
        Assert.True((await named.ProbeAsync(CancellationToken.None)).Alive);
        await RemoteEngines.AskAsync(named, BundledBackend.Request(BundledBackend.Row("chat.greeting")));
    }

    [Theory]
    [InlineData("vllm", "/health", 503)]
    [InlineData("sglang", "/get_model_info", 500)]
    [InlineData("llama", "/health", 503)]
    [InlineData("llama", "/props", 404)]
    public async Task An_engine_that_is_not_well_is_not_ready(string name, string path, int status)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        Assert.True((await backend.ProbeAsync(CancellationToken.None)).Alive);
        engine.Intercept = http =>
        {
            http.Response.StatusCode = status;
            return Task.FromResult(http.Request.Path == path);
        };
        BackendProbe probe = await backend.ProbeAsync(CancellationToken.None);
        Assert.False(probe.Alive || backend.IsReady);
        Assert.NotEmpty(probe.Detail);
    }

    [Fact]
    public void A_folder_and_a_file_that_hold_no_tokenizer_are_told_apart_from_others()
    {
        Assert.Equal("glm4moe", PackageVocabulary.Open(Fixtures.BundledModel).Architecture);
        string folder = Path.GetDirectoryName(Fixtures.BundledModel)!;
        Assert.Equal(PackageVocabulary.Open(Fixtures.BundledModel).Tokenizer.VocabularySize, PackageVocabulary.Open(folder).Tokenizer.VocabularySize);
        Assert.Throws<Dialogue.Tokenization.TokenizerFileException>(() => PackageVocabulary.Open(Path.Combine(folder, "nothing")));
    }

    [Fact]
    public void Kinds_that_take_no_tokens_are_refused()
    {
        BackendDefinition definition = new() { Name = "x", Kind = BackendKind.OpenAI, Url = new Uri("http://localhost"), Models = [new BackendModel { Code = "glm-4.7" }] };
        Assert.Throws<ArgumentException>(() => RawBackends.Create(definition, TimeProvider.System, NullLoggerFactory.Instance));
        Assert.Throws<ArgumentException>(() => RawBackends.Create(definition with { Kind = BackendKind.Vllm, ChatMode = true }, TimeProvider.System, NullLoggerFactory.Instance));
        Assert.Throws<ArgumentException>(() => RawBackends.Create(definition with { Kind = BackendKind.Vllm, Models = [] }, TimeProvider.System, NullLoggerFactory.Instance));
    }

    [Theory]
    [InlineData("0.11.0rc2.dev12+g123", "0.11.0")]
    [InlineData("v0.9", "0.9.0")]
    [InlineData("1.2.3.4", "1.2.3")]
    [InlineData("main", null)]
    [InlineData(null, null)]
    public void Versions_are_read_as_far_as_they_are_numbers(string? text, string? version) => Assert.Equal(version, VllmProtocol.VersionOf(text)?.ToString());
}
