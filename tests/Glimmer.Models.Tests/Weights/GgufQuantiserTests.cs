using Glimmer.Kernels.Formats;
using Glimmer.Models.Loading;
using Glimmer.Models.Weights;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Weights;

public sealed class GgufQuantiserTests
{
    private static readonly string _whole = Fixtures.Path("gguf", "models", "glm4moe", "glm4moe.f32.gguf");

    public static TheoryData<string> Mixes => [.. QuantisationMix.All.Select(mix => mix.Name)];

    [Fact]
    public void Eight_bits_equal_the_reference_byte_for_byte()
    {
        using TemporaryFolder folder = new();
        using GgufFile have = Quantise(folder, _whole, "Q8_0");
        using GgufFile want = GgufFile.Open(Fixtures.Path("gguf", "models", "glm4moe", "glm4moe.q8_0.gguf"));
        Assert.Equal(want.Names.Order(StringComparer.Ordinal), have.Names.Order(StringComparer.Ordinal), StringComparer.Ordinal);
        foreach (string name in want.Names)
        {
            Assert.True(want.TryGet(name, out StoredTensor? wanted));
            Assert.True(have.TryGet(name, out StoredTensor? tensor));
            Assert.Equal((name, wanted.Format), (name, tensor.Format));
            Assert.True(wanted.Bytes.SequenceEqual(tensor.Bytes), name);
        }

        Assert.Equal(want.Metadata.GetInt32("general.file_type"), have.Metadata.GetInt32("general.file_type"));
    }

    [Theory]
    [InlineData("Q4_K_M")]
    [InlineData("IQ4_XS")]
    public void Formats_are_chosen_as_the_reference_does(string name)
    {
        using GgufFile want = GgufFile.Open(Fixtures.Path("gguf", "models", "glm4-kquants", $"glm4-kquants.{name}.gguf"));
        Assert.True(QuantisationMix.TryFind(name.ToLowerInvariant(), out QuantisationMix? mix));
        IReadOnlyDictionary<string, BlockFormat> formats = GgufQuantiser.Formats(want, mix);
        foreach (string tensor in want.Names)
        {
            Assert.True(want.TryGet(tensor, out StoredTensor? stored));
            Assert.Equal((tensor, stored.Format), (tensor, formats[tensor]));
        }
    }

    [Theory]
    [MemberData(nameof(Mixes))]
    public void Every_recipe_makes_a_model_that_loads_and_stays_close(string name)
    {
        using TemporaryFolder folder = new();
        using GgufFile source = GgufFile.Open(_whole);
        using GgufFile target = Quantise(folder, _whole, name);
        using (LoadedModel model = ModelLoader.Load(target.Location))
            Assert.Equal(512, model.Description.VocabularySize);
        Assert.True(new FileInfo(target.Location).Length < new FileInfo(_whole).Length / 2);
        Assert.Equal([target.Location], Directory.GetFiles(folder.Path));
        Assert.Equal(string.Join(' ', source.Metadata.GetStrings("tokenizer.ggml.tokens")), string.Join(' ', target.Metadata.GetStrings("tokenizer.ggml.tokens")));
        foreach (string tensor in source.Names)
        {
            Assert.True(source.TryGet(tensor, out StoredTensor? from));
            Assert.True(target.TryGet(tensor, out StoredTensor? to));
            Assert.Equal(from.Shape, to.Shape);
            if (tensor.Contains("norm", StringComparison.Ordinal) || tensor.Contains("bias", StringComparison.Ordinal) || tensor.Contains("ffn_gate_inp", StringComparison.Ordinal))
                Assert.Equal(BlockFormat.F32, to.Format);
            float[] a = from.ToFloats(), b = to.ToFloats();
            double error = a.Zip(b).Sum(pair => Math.Pow(pair.First - pair.Second, 2)), size = a.Sum(value => Math.Pow(value, 2));
            Assert.True(error <= 0.02 * size, $"{tensor} as {to.Format}: relative error {Math.Sqrt(error / size)}");
        }
    }

    [Fact]
    public void The_M_recipes_spend_more_bits_where_they_matter()
    {
        QuantisationMix.Model model = new(40, 0, 16, TiedEmbedding: false, [.. Enumerable.Range(0, 40).Select(layer => $"blk.{layer}.attn_v.weight")]);
        Assert.True(QuantisationMix.TryFind("Q4_K_M", out QuantisationMix? mix));
        int[] more = [.. Enumerable.Range(0, 40).Where(layer => mix.Choose($"blk.{layer}.ffn_down.weight", 4096, model) == BlockFormat.Q6_K)];
        Assert.Equal([0, 1, 2, 3, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 35, 36, 37, 38, 39], more);
        Assert.Equal(more, Enumerable.Range(0, 40).Where(layer => mix.Choose($"blk.{layer}.attn_v.weight", 4096, model) == BlockFormat.Q6_K));
        Assert.Equal(BlockFormat.Q6_K, mix.Choose("output.weight", 4096, model));
        Assert.Equal(BlockFormat.Q4_K, mix.Choose("token_embd.weight", 4096, model));
        Assert.Equal(BlockFormat.Q6_K, mix.Choose("token_embd.weight", 4096, model with { TiedEmbedding = true }));
        Assert.Equal(BlockFormat.Q8_0, mix.Choose("output.weight", 4000, model));
        Assert.True(QuantisationMix.TryFind("Q2_K", out QuantisationMix? small));
        Assert.Equal(BlockFormat.Q4_K, small.Choose("blk.3.attn_v.weight", 4096, model));
        Assert.Equal(BlockFormat.Q3_K, small.Choose("blk.3.attn_v.weight", 4096, model with { HeadsPerKeyHead = 1 }));
        Assert.Equal(BlockFormat.Q3_K, small.Choose("blk.3.attn_output.weight", 4096, model));
        Assert.Equal(BlockFormat.Q8_0, small.Choose("blk.3.attn_k.weight", 4096, model with { Experts = 8 }));
    }

    [Theory]
    [InlineData(BlockFormat.Q4_K, 256, BlockFormat.Q4_K)]
    [InlineData(BlockFormat.Q4_K, 1408, BlockFormat.Q5_0)]
    [InlineData(BlockFormat.Q5_K, 1408, BlockFormat.Q5_1)]
    [InlineData(BlockFormat.Q6_K, 192, BlockFormat.Q8_0)]
    [InlineData(BlockFormat.IQ4_XS, 1408, BlockFormat.IQ4_NL)]
    [InlineData(BlockFormat.Q3_K, 1408, BlockFormat.Q4_0)]
    [InlineData(BlockFormat.Q2_K, 32, BlockFormat.Q4_0)]
    [InlineData(BlockFormat.Q4_K, 100, BlockFormat.F16)]
    [InlineData(BlockFormat.Q8_0, 100, BlockFormat.F16)]
    public void Widths_that_do_not_fit_fall_back(BlockFormat wanted, long columns, BlockFormat expected) =>
        Assert.Equal(expected, TensorQuantiser.Fit(wanted, columns));

    [Fact]
    public void Quantised_weights_are_not_quantised_again_unasked()
    {
        using TemporaryFolder folder = new();
        Assert.Contains("quantised already (Q8_0)", Assert.Throws<ModelFileException>(() => Quantise(folder, Fixtures.BundledModel, "Q4_K_M")).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Path));
        using GgufFile source = GgufFile.Open(Fixtures.BundledModel);
        Assert.True(QuantisationMix.TryFind("Q4_0", out QuantisationMix? mix));
        GgufQuantiser.Run(source, folder.File("again.gguf"), mix, allowRequantise: true, cancel: TestContext.Current.CancellationToken);
        GgufFile.Open(folder.File("again.gguf")).Dispose();
    }

    [Fact]
    public void Cancellation_leaves_nothing_behind_and_an_older_target_untouched()
    {
        using TemporaryFolder folder = new();
        string target = folder.Write("m.gguf", "older");
        using GgufFile source = GgufFile.Open(_whole);
        using CancellationTokenSource stop = new();
        List<QuantiseProgress> seen = [];
        Assert.Throws<OperationCanceledException>(() => GgufQuantiser.Run(source, target, QuantisationMix.All[0], new Stopper(seen, stop), cancel: stop.Token));
        Assert.Equal(5, seen.Count);
        Assert.Equal([target], Directory.GetFiles(folder.Path));
        Assert.Equal("older", File.ReadAllText(target));
    }

    [Fact]
    public void A_split_model_becomes_one_file()
    {
        using TemporaryFolder folder = new();
        for (int part = 0; part < 2; part++)
        {
            folder.Write($"m-0000{part + 1}-of-00002.gguf", new GgufBytes().Key("general.architecture", "glm4").Key("split.no", (ushort)part).Key("split.count", (ushort)2)
                .Tensor($"blk.{part}.w.weight", 0, [32, 2], new byte[256]).ToArray());
        }

        using GgufFile whole = Quantise(folder, folder.File("m-00001-of-00002.gguf"), "Q8_0");
        Assert.Equal(2, whole.Names.Count);
        Assert.False(whole.Metadata.Contains("split.count"));
    }

    private static GgufFile Quantise(TemporaryFolder folder, string path, string name)
    {
        using GgufFile source = GgufFile.Open(path);
        Assert.True(QuantisationMix.TryFind(name, out QuantisationMix? mix));
        GgufQuantiser.Run(source, folder.File("target.gguf"), mix, cancel: TestContext.Current.CancellationToken);
        return GgufFile.Open(folder.File("target.gguf"));
    }

    private sealed class Stopper(List<QuantiseProgress> seen, CancellationTokenSource stop) : IProgress<QuantiseProgress>
    {
        public void Report(QuantiseProgress value)
        {
            seen.Add(value);
            if (seen.Count == 5)
                stop.Cancel();
        }
    }
}
