using Glimmer.Kernels.Formats;
using Glimmer.ModelMaker;
using Glimmer.Models.Loading;
using Glimmer.Models.Weights;

namespace Glimmer.Models.Tests.Weights;

/// <summary>The files that measurements are made with: shrunk, they load and compute.</summary>
public sealed class ModelMakerTests
{
    public static TheoryData<string, string> Files
    {
        get
        {
            TheoryData<string, string> files = [];
            foreach (ModelShape shape in ModelShape.All)
            {
                foreach (string type in ModelFile.Types)
                    files.Add(shape.Name, type);
            }

            return files;
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Shrunk_shapes_load_and_give_finite_numbers_that_differ_by_token(string name, string type)
    {
        using TemporaryFolder folder = new();
        ModelShape shape = Shrunk(name);
        string file = Write(folder, shape, type, 7);
        using LoadedModel model = ModelLoader.Load(file);
        Assert.Equal((shape.Vocabulary, shape.Hidden, shape.Layers), (model.Description.VocabularySize, model.Description.HiddenSize, model.Description.Layers));
        Assert.Equal($"random {name}", model.DisplayName);
        using ModelRunner runner = new(model.Model, 8);
        float[] logits = runner.Chunked(0, [3, 9, 27, 81]);
        Assert.All(logits, value => Assert.True(float.IsFinite(value)));
        int vocabulary = shape.Vocabulary;
        Assert.NotEqual(logits[..vocabulary], logits[vocabulary..(2 * vocabulary)]);
        float[] last = logits[(3 * vocabulary)..];
        Assert.InRange(Array.IndexOf(last, last.Max()), TokenTable.Bytes, vocabulary - TokenTable.ControlTokens - 1);
    }

    [Fact]
    public void The_same_seed_gives_the_same_bytes_and_another_seed_others()
    {
        using TemporaryFolder folder = new();
        byte[][] files = [.. ((int[])[7, 7, 8]).Select(seed => File.ReadAllBytes(Write(folder, Shrunk("moe-small"), "q4_k_m", seed)))];
        Assert.Equal(files[0], files[1]);
        Assert.NotEqual(files[0], files[2]);
    }

    [Fact]
    public void The_true_shapes_have_the_published_numbers_of_weights()
    {
        Dictionary<string, double> billions = ModelShape.All.ToDictionary(
            shape => shape.Name,
            shape => TensorTable.Of(shape, null).Sum(tensor => (double)tensor.Shape.Aggregate(1L, (count, size) => count * size)) / 1e9);
        Assert.Equal(1.59, billions["edge-1.5b"], 0.01);
        Assert.Equal(9.40, billions["glm4-9b"], 0.01);
        Assert.Equal(29.94, billions["glm-4.7-flash"], 0.01);
    }

    [Fact]
    public void Widths_that_do_not_fill_blocks_fall_back_as_the_quantiser_does()
    {
        Assert.True(QuantisationMix.TryFind("q4_k_m", out QuantisationMix? mix));
        Dictionary<string, BlockFormat> formats = TensorTable.Of(ModelShape.All.Single(shape => shape.Name == "glm-4.7-flash"), mix).ToDictionary(tensor => tensor.Name, tensor => tensor.Format);
        Assert.Equal(BlockFormat.Q5_0, formats["blk.1.attn_k_b.weight"]);
        Assert.Equal(BlockFormat.Q4_K, formats["blk.1.ffn_up_exps.weight"]);
        Assert.Equal(BlockFormat.Q6_K, formats["output.weight"]);
        Assert.Equal(BlockFormat.F32, formats["blk.1.ffn_gate_inp.weight"]);
    }

    [Fact]
    public void Keys_are_those_of_a_converted_model()
    {
        using TemporaryFolder folder = new();
        using GgufFile made = GgufFile.Open(Write(folder, Shrunk("glm-4.7-flash"), "q8_0", 1));
        using GgufFile converted = GgufFile.Open(Glimmer.Testing.Fixtures.Path("gguf", "models", "glm4moelite", "glm4moelite.q8_0.gguf"));
        string[] optional = ["general.size_label", "general.sampling.top_p", "general.sampling.temp", "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.eom_token_id"];
        Assert.Empty(converted.Metadata.Keys.Except(optional).Except(made.Metadata.Keys));
        Assert.Empty(converted.Names.Where(name => name.StartsWith("blk.1.", StringComparison.Ordinal)).Except(made.Names));
    }

    private static string Write(TemporaryFolder folder, ModelShape shape, string type, int seed)
    {
        string file = folder.File("made.gguf");
        using FileStream output = new(file, FileMode.Create);
        ModelFile.Write(shape, type, seed, output);
        return file;
    }

    // Widths that K-quants fill, and one (ffn_down of the dense shapes) that they do not.
    private static ModelShape Shrunk(string name)
    {
        ModelShape shape = ModelShape.All.Single(shape => shape.Name == name);
        return shape with
        {
            Layers = 2,
            Hidden = 256,
            FeedForward = 288,
            Heads = 4,
            KeyHeads = shape.Latent is null ? 2 : 1,
            HeadSize = 64,
            Rotated = shape.Latent is null ? Math.Min(shape.Rotated, 32) : 32,
            Vocabulary = 512,
            RotarySections = shape.RotarySections.Count > 0 ? [4, 6, 6, 0] : [],
            Latent = shape.Latent is null ? null : new LatentShape(256, 256, 96, 64),
            Experts = shape.Experts is null ? null : shape.Experts with { Count = 16, Width = 256 },
        };
    }
}
