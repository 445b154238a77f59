using Glimmer.Kernels.Formats;
using Glimmer.Models.Conversion;
using Glimmer.Models.Loading;
using Glimmer.Models.Tests.Weights;
using Glimmer.Models.Weights;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Conversion;

public sealed class CheckpointConverterTests
{
    // The largest difference of logits to the checkpoint's own; factors of experts are doubles there and single precision in GGUF.
    private static readonly (string Mix, double Bound)[] _bounds = [("F32", 1e-5), ("BF16", 0.2), ("F16", 0.05), ("Q8_0", 0.5)];

    public static TheoryData<string> Checkpoints => [.. Directory.GetDirectories(Fixtures.Path("text")).Select(folder => Path.GetFileName(folder)!).Where(name => name != "glm5_next").Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void A_converted_checkpoint_gives_the_logits_of_the_folder(string name)
    {
        using TemporaryFolder folder = new();
        string source = Fixtures.Path("text", name);
        using LoadedModel before = ModelLoader.Load(source);
        float[] expected = Logits(before), draft = Draft(before);
        foreach ((string mixName, double bound) in _bounds)
        {
            string target = folder.File($"{mixName}.gguf");
            Assert.True(QuantisationMix.TryFind(mixName, out QuantisationMix? mix));
            CheckpointConverter.Run(source, target, mix);
            using LoadedModel after = ModelLoader.Load(target);
            Assert.Equal((before.Description.VocabularySize, before.Description.Layers, before.Description.ContextLength), (after.Description.VocabularySize, after.Description.Layers, after.Description.ContextLength));
            float[] actual = Logits(after);
            double worst = expected.Zip(actual, (a, b) => Math.Abs((double)a - b)).Max();
            if (mixName is "F32")
                Assert.InRange(worst, 0, bound);
            else if (mixName is "F16" or "BF16" && !name.Contains("moe", StringComparison.Ordinal))
                Assert.InRange(worst, 0, bound); // with experts a rounded router input can choose another one
            else
                Assert.All(actual, value => Assert.True(float.IsFinite(value)));
            if (mixName is "F32" && after.Model.Draft is not null)
                Assert.InRange(draft.Zip(Draft(after), (a, b) => Math.Abs((double)a - b)).Max(), 0, bound);
        }

        Assert.False(File.Exists(folder.File("F32.gguf.part")));
    }

    [Theory]
    [InlineData("glm", "chatglm")]
    [InlineData("glm4_moe-mtp", "glm4moe")]
    [InlineData("glm4_moe_lite", "deepseek2")]
    [InlineData("glm_moe_dsa", "glm-dsa")]
    public void Architecture_names_are_those_other_programs_know(string name, string architecture)
    {
        using TemporaryFolder folder = new();
        CheckpointConverter.Run(Fixtures.Path("text", name), folder.File("a.gguf"), QuantisationMix.Floats[0]);
        using GgufFile file = GgufFile.Open(folder.File("a.gguf"));
        Assert.Equal(architecture, file.Architecture);
    }

    [Theory]
    [InlineData("glm4", "glm4.bf16.gguf")]
    [InlineData("glm4moelite", "glm4moelite.f32.gguf")]
    [InlineData("glm4moe", "glm4moe.f32.gguf")]
    public void Keys_and_tensors_are_those_of_the_reference_converter(string name, string file)
    {
        // The reference's file taken apart into a checkpoint is not there; its configuration is, and any weights do for the names.
        using GgufFile want = GgufFile.Open(Fixtures.Path("gguf", "models", name, file));
        string text = name switch { "glm4" => "glm4", "glm4moe" => "glm4_moe-qknorm-sharded", _ => "glm4_moe_lite" };
        using TemporaryFolder folder = new();
        CheckpointConverter.Run(Fixtures.Path("text", text), folder.File("a.gguf"), QuantisationMix.Floats[0]);
        using GgufFile have = GgufFile.Open(folder.File("a.gguf"));
        string[] elsewhere = ["general.size_label", "general.name", "general.sampling.top_p", "general.sampling.temp"];
        Assert.Empty(want.Metadata.Keys.Where(key => !key.StartsWith("tokenizer.", StringComparison.Ordinal)).Except(elsewhere).Except(have.Metadata.Keys));
        string[] optional = [".bias", "_q_norm.weight", "_k_norm.weight"];
        Assert.Empty(want.Names.Where(tensor => tensor.StartsWith("blk.1.", StringComparison.Ordinal) && !optional.Any(end => tensor.EndsWith(end, StringComparison.Ordinal))).Except(have.Names));
        foreach (string tensor in have.Names.Where(tensor => !tensor.Contains("nextn", StringComparison.Ordinal)))
        {
            Assert.True(have.TryGet(tensor, out StoredTensor? made));
            Assert.Equal(BlockFormat.F32, made.Format);
            if (want.TryGet(tensor, out StoredTensor? stored))
                Assert.Equal(stored.Shape.Length, made.Shape.Length);
        }
    }

    [Fact]
    public void What_other_programs_do_not_know_is_refused_by_name()
    {
        using TemporaryFolder folder = new();
        ModelFileException fault = Assert.Throws<ModelFileException>(() => CheckpointConverter.Run(Fixtures.Path("text", "glm5_next"), folder.File("a.gguf"), QuantisationMix.All[0]));
        Assert.Contains("\"glm5_next\" have no GGUF form", fault.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Formats_tell_what_a_run_writes()
    {
        using TemporaryFolder folder = new();
        string source = Fixtures.Path("text", "glm4_moe-mtp");
        IReadOnlyDictionary<string, BlockFormat> formats = CheckpointConverter.Formats(source, QuantisationMix.All[0]);
        CheckpointConverter.Run(source, folder.File("a.gguf"), QuantisationMix.All[0]);
        using GgufFile file = GgufFile.Open(folder.File("a.gguf"));
        Assert.Equal(formats.Keys.Order(StringComparer.Ordinal), file.Names.Order(StringComparer.Ordinal));
        Assert.All(file.Names, name => Assert.True(file.TryGet(name, out StoredTensor? tensor) && tensor.Format == formats[name]));
    }

    private static float[] Logits(LoadedModel model)
    {
        int[] tokens = [.. Enumerable.Range(0, 20).Select(i => 3 + i * 7 % 60)];
        using ModelRunner runner = new(model.Model, tokens.Length, threads: 2);
        return runner.Chunked(0, tokens, 13);
    }

    private static float[] Draft(LoadedModel model)
    {
        if (model.Model.Draft is not { } draft)
            return [];
        using ModelRunner runner = new(model.Model, 8);
        float[] states = [.. Enumerable.Range(0, 4 * draft.HiddenSize).Select(i => MathF.Sin(i))];
        runner.Batch.Add(new SequenceChunk(new[] { 5, 6, 7, 8 }, 0, new[] { 0 }, 0, LogitsWanted.All), states);
        using Glimmer.Kernels.ThreadTeam team = new(1);
        draft.Forward(runner.Batch, runner.Arena, team);
        return runner.Batch.ReserveLogits(runner.Vocabulary).ToArray();
    }
}
