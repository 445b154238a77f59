using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Engine.Packages;
using Glimmer.Engine.Tests.Fakes;
using Glimmer.Testing;

namespace Glimmer.Engine.Tests;

/// <summary>The bundled model through the engine: real rows, real pages.</summary>
public sealed class BundledModelTests
{
    private static readonly Lazy<List<(int[] Prompt, int[] Answer)>> Tasks = new(() =>
        [.. File.ReadLines(Fixtures.Path("glimmer-tiny", "tasks.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(row => row.GetProperty("gaps").EnumerateArray().All(gap => gap.GetDouble() > 0.05))
            .Select(row => (Ids(row, "prompt_ids"), Ids(row, "greedy_ids")))
            // The whole set is the golden area's; here a few short ones under every setting.
            .Where(task => task.Item1.Length < 40 && task.Item2.Length < 25)
            .Take(3)]);

    public static TheoryData<int, int, int, bool, int, int> Settings => new()
    {
        // prefill tokens, batch, page tokens, cache, threads, guesses
        { 512, 20, 64, true, 2, 0 },
        { 5, 3, 32, true, 1, 3 },
        { 40, 8, 32, true, 2, 1 },
        { 64, 1, 128, false, 4, 0 },
    };

    [Theory]
    [MemberData(nameof(Settings))]
    public async Task Greedy_answers_are_the_references_whatever_the_settings(int prefill, int batch, int pageTokens, bool cache, int threads, int guesses)
    {
        using ModelPackage package = ModelPackage.Load(Fixtures.BundledModel);
        EngineOptions options = new()
        {
            KvBytes = 32 << 20,
            PrefillTokens = prefill,
            MixedPrefillTokens = prefill,
            MaxBatch = batch,
            PageTokens = pageTokens,
            PrefixCache = cache,
            Threads = threads,
            SpeculativeTokens = guesses,
        };
        FaultLog log = new();

        // By this clock every pass takes as long, so that guesses are made as long as enough of them are right.
        using InferenceEngine engine = new(package.Model, options, package.Tokenizer, log, new StandingTime());
        List<RecordingSink> sinks = [];
        foreach ((int[] prompt, int[] answer) in Tasks.Value)
        {
            RecordingSink sink = new();
            GenerationRequest request = Rig.Request(prompt, answer.Length + 1, sink) with { StopTokens = package.StopTokens };
            Assert.Equal(SubmissionOutcome.Accepted, engine.Submit(request, default, out _));
            sinks.Add(sink);
        }

        for (int i = 0; i < sinks.Count; i++)
        {
            Assert.Equal(GenerationEnd.StopToken, await sinks[i].Ended.Soon());
            Assert.Equal(Tasks.Value[i].Answer, sinks[i].Tokens);
        }

        await engine.AssertNoLeakAsync().Soon();
        Assert.Empty(log.Faults);
        Assert.Equal(guesses > 0, engine.GetStatistics().AcceptedTokens > 0);
    }

    [Fact]
    public async Task Foresight_never_changes_a_constrained_answer()
    {
        using ModelPackage package = ModelPackage.Load(Fixtures.BundledModel);
        JsonElement schema = JsonDocument.Parse("""{"type":"object","properties":{"colour_of_the_sky":{"enum":["blue","grey"]},"number":{"type":"integer"}},"required":["colour_of_the_sky","number"]}""").RootElement;
        ConstraintCompiler compiler = new(package.Tokenizer, [.. package.StopTokens]);
        CompiledConstraint constraint = compiler.JsonSchema(schema, strict: true, AnswerPreamble.None).Constraint!;
        List<IReadOnlyList<int>> answers = [];
        foreach (bool jumpAhead in (bool[])[true, false])
        {
            using InferenceEngine engine = new(package.Model, new EngineOptions { KvBytes = 16 << 20, JumpAhead = jumpAhead, Threads = 2 }, package.Tokenizer);
            foreach (SamplingOptions sampling in (SamplingOptions[])[Rig.Greedy, new() { Temperature = 0.5f, Seed = 5 }])
            {
                RecordingSink sink = new();
                engine.Submit(Rig.Request(Tasks.Value[0].Prompt, 25, sink, sampling) with { StopTokens = package.StopTokens, Constraint = constraint.Start() }, default, out _);
                Assert.True(await sink.Ended.Soon() is GenerationEnd.StopToken or GenerationEnd.MaxTokens);
                answers.Add(sink.Tokens);
            }

            await engine.AssertNoLeakAsync().Soon();
            Assert.Equal(jumpAhead, engine.GetStatistics().AcceptedTokens > 0);
        }

        Assert.Equal(answers[0], answers[2]);
        Assert.Equal(answers[1], answers[3]);
    }

    [Fact]
    public void The_package_knows_its_name_generation_and_stop_tokens()
    {
        using ModelPackage package = ModelPackage.Load(Fixtures.BundledModel);

        Assert.Equal("glimmer-tiny", package.Code);
        Assert.Equal("glm-4.7", package.Generation.Name);
        Assert.Equal([8156, 8163, 8165], package.StopTokens.Order());
    }

    private static int[] Ids(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];

    private sealed class StandingTime : TimeProvider
    {
        public override long GetTimestamp() => 1;
    }
}
