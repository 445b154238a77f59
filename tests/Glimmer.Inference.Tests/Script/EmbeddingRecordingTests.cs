using Glimmer.Dialogue.Tokenization;
using Glimmer.Inference.Rerank;
using Glimmer.Inference.Script;
using Glimmer.Inference.Tests.Embedded;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Tests.Script;

public sealed class EmbeddingRecordingTests(BundledBackend bundled) : IClassFixture<BundledBackend>, IDisposable
{
    private const string Start = "models: [glm-4.7]\n";
    private readonly Tokenizer _tokenizer = bundled.Backend.Package.Tokenizer;
    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-recording-test-").FullName;

    private string File => Path.Combine(_folder, "out.yaml");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Recorded_vectors_come_back_bit_for_bit_and_the_service_is_asked_once()
    {
        Random random = new(5);
        LiveVectors live = new(random);
        List<(string[] Texts, int? Dimensions, EmbeddingOutcome Made)> asked = [];
        await using (RecordingFile file = RecordingFile.Open(File, Start, Assert.Fail))
        {
            RecordingEmbeddingBackend recorder = new(live, file);
            for (int i = 0; i < 40; i++)
            {
                string[] texts = [.. Enumerable.Range(0, random.Next(1, 6)).Select(j => $"text {i} {j} \"'\n\t{{}} 世界 🌍")];
                int? dimensions = random.Next(3) == 0 ? random.Next(1, 8) : null;
                asked.Add((texts, dimensions, await recorder.EmbedAsync(texts, dimensions, default)));
                await recorder.EmbedAsync(texts, dimensions, default);
            }
        }

        Assert.Equal(40, live.Asked);
        ScriptChatBackend backend = ScriptRequests.Backend(System.IO.File.ReadAllText(File), _tokenizer);
        ScriptEmbeddingBackend replay = Assert.Single(backend.Embeddings);
        Assert.Equal("embedding-3", replay.Model);
        foreach ((string[] texts, int? dimensions, EmbeddingOutcome made) in asked)
        {
            EmbeddingOutcome said = await replay.EmbedAsync(texts, dimensions, default);
            Assert.Equal(made.Tokens, said.Tokens);
            Assert.Equal(made.Error, said.Error);
            Assert.Equal(made.Vectors?.Select(Bits), said.Vectors?.Select(Bits));
        }

        Assert.All(backend.Log.Requests, request => Assert.Equal(RequestOutcome.Recording, request.Outcome));
        Assert.Contains(asked, one => one.Made.Error is not null);
        Assert.Equal(0, backend.Verify().UnknownCount);
    }

    [Fact]
    public async Task Other_texts_order_or_dimensions_are_another_request_which_strict_runs_fail()
    {
        await using (RecordingFile file = RecordingFile.Open(File, Start, Assert.Fail))
            await new RecordingEmbeddingBackend(new LiveVectors(new Random(1), refuses: false), file).EmbedAsync(["a", "b"], null, default);
        ScriptChatBackend backend = ScriptRequests.Backend("strict: true\n" + System.IO.File.ReadAllText(File), _tokenizer);
        ScriptEmbeddingBackend replay = Assert.Single(backend.Embeddings);

        Assert.NotNull((await replay.EmbedAsync(["a", "b"], null, default)).Vectors);
        foreach ((string[] texts, int? dimensions) in new (string[], int?)[] { (["b", "a"], null), (["a"], null), (["a", "b"], 2), (["a", "b", ""], null) })
        {
            EmbeddingOutcome said = await replay.EmbedAsync(texts, dimensions, default);
            Assert.Null(said.Vectors);
            Assert.Contains($"\"{texts[0]}\"", said.Error!.Message, StringComparison.Ordinal);
        }

        Assert.Equal(4, backend.Verify().UnknownCount);
        Assert.NotNull(backend.Judge());
        Assert.Equal(4, backend.Log.Requests.Count(request => request.Outcome == RequestOutcome.Unknown));
    }

    [Fact]
    public async Task What_is_written_by_hand_comes_first_then_recordings_then_made_up_vectors()
    {
        await using (RecordingFile file = RecordingFile.Open(File, Start, Assert.Fail))
        {
            RecordingEmbeddingBackend recorder = new(new LiveVectors(new Random(2), refuses: false), file);
            await recorder.EmbedAsync(["cat"], null, default);
            await recorder.EmbedAsync(["dog"], null, default);
        }

        const string ByHand = "embeddings: [{ model: embedding-3, dimensions: 8, vectors: [{ text: cat, vector: [1, 2, 3, 4, 5, 6, 7, 8] }] }]\n";
        ScriptChatBackend backend = ScriptRequests.Backend(ByHand + System.IO.File.ReadAllText(File), _tokenizer);
        ScriptEmbeddingBackend replay = Assert.Single(backend.Embeddings);
        EmbeddingOutcome cat = await replay.EmbedAsync(["cat"], null, default);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], cat.Vectors![0]);
        await replay.EmbedAsync(["dog"], null, default);
        await replay.EmbedAsync(["bird"], null, default);
        Assert.Equal([RequestOutcome.Embedded, RequestOutcome.Recording, RequestOutcome.Embedded], backend.Log.Requests.Select(request => request.Outcome));
    }

    [Fact]
    public async Task Reranking_is_recorded_by_its_vectors()
    {
        RerankOutcome live;
        string[] documents = [.. Enumerable.Range(0, 150).Select(i => $"document {i}")];
        await using (RecordingFile file = RecordingFile.Open(File, Start, Assert.Fail))
            live = await new EmbeddingRerankBackend(new RecordingEmbeddingBackend(new LiveVectors(new Random(3), refuses: false), file)).ScoreAsync("query", documents, default);
        ScriptChatBackend backend = ScriptRequests.Backend(System.IO.File.ReadAllText(File), _tokenizer);
        RerankOutcome said = await new EmbeddingRerankBackend(backend.Embeddings[0]).ScoreAsync("query", documents, default);
        Assert.Equal(live.Scores, said.Scores);
        Assert.Equal(live.Tokens, said.Tokens);
    }

    [Fact]
    public async Task Recording_again_goes_on_with_the_file()
    {
        LiveVectors live = new(new Random(4), refuses: false);
        for (int round = 0; round < 2; round++)
        {
            await using RecordingFile file = RecordingFile.Open(File, Start, Assert.Fail);
            ScriptChatBackend backend = new(file.Scenario, new Lazy<ITokenizer>(_tokenizer), new ScriptOptions { LiveEmbeddings = [new RecordingEmbeddingBackend(live, file)] });
            ScriptEmbeddingBackend only = Assert.Single(backend.Embeddings);
            await only.EmbedAsync(["same"], null, default);
            await only.EmbedAsync([$"round {round}"], null, default);
        }

        Assert.Equal(3, live.Asked);
        Assert.Equal(3, ScenarioReader.ReadFile(File).Recordings.Count);
    }

    [Theory]
    [InlineData("{ model: m }", "needs vectors")]
    [InlineData("{ tokens: 1, vectors: [\"AACAPw==\"] }", "needs the model")]
    [InlineData("{ model: m, vectors: [\"AACA\"] }", "four bytes")]
    [InlineData("{ model: m, vectors: [\"\"] }", "four bytes")]
    [InlineData("{ model: m, vectors: [\"AADAfw==\"] }", "numbers only")]
    [InlineData("{ model: m, vectors: [\"%\"] }", "base64")]
    [InlineData("{ model: m, vectors: [\"AACAPw==\", \"AACAPwAAgD8=\"] }", "all of one length")]
    [InlineData("{ model: m, vector: [] }", "did you mean vectors?")]
    [InlineData("{ model: m, tokens: -1 }", "tokens is \"-1\"")]
    public void A_damaged_recording_is_named(string embedding, string what)
    {
        string yaml = $"recordings:\n  - fingerprint: {new string('0', 64)}\n    embedding: {embedding}\n";
        ScenarioException fault = Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario(yaml));
        Assert.Contains(what, fault.Message, StringComparison.Ordinal);
        Assert.Contains("line ", fault.Message, StringComparison.Ordinal);
    }

    private static IEnumerable<int> Bits(float[] vector) => vector.Select(BitConverter.SingleToInt32Bits);

    /// <summary>A service whose vectors follow from chance, so that only a recording can repeat them.</summary>
    private sealed class LiveVectors(Random random, bool refuses = true) : IEmbeddingBackend
    {
        public int Asked { get; private set; }

        public string Name => "live";

        public string Model => "embedding-3";

        public int Dimensions => 8;

        public Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
        {
            Asked++;
            if (refuses && random.Next(6) == 0)
                return Task.FromResult(new EmbeddingOutcome(null, 0, PlatformError.Of(BusinessCode.Overloaded) with { RetryAfter = TimeSpan.FromSeconds(random.Next(1, 9)) }));
            return Task.FromResult(new EmbeddingOutcome([.. texts.Select(_ => Vector(dimensions ?? Dimensions))], random.Next(1000), null));
        }

        private float[] Vector(int length) => [.. Enumerable.Range(0, length).Select(_ => (float)((random.NextDouble() * 2) - 1) * MathF.Pow(10, random.Next(-30, 3)))];
    }
}
