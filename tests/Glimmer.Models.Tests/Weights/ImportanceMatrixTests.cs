using System.Text;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Conversion;
using Glimmer.Models.Weights;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Weights;

public sealed class ImportanceMatrixTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Both_forms_say_the_same()
    {
        ImportanceMatrix old = ImportanceMatrix.Open(_folder.Write("a.dat", Entries(("blk.0.ffn_up.weight", 4, [4, 8, 0, 2]), ("blk.0.ffn_down_exps.weight", 2, [2, 4, 6, 8]))));
        ImportanceMatrix gguf = ImportanceMatrix.Open(_folder.Write("a.gguf", new GgufBytes().Key("general.architecture", "none").Key("general.type", "imatrix")
            .Tensor("blk.0.ffn_up.weight.in_sum2", 0, [4, 1], Floats(4, 8, 0, 2)).Tensor("blk.0.ffn_up.weight.counts", 0, [1, 1], Floats(4))
            .Tensor("blk.0.ffn_down_exps.weight.in_sum2", 0, [2, 2], Floats(2, 4, 6, 8)).Tensor("blk.0.ffn_down_exps.weight.counts", 0, [1, 2], Floats(2, 2)).ToArray()));
        foreach (ImportanceMatrix matrix in (ImportanceMatrix[])[old, gguf])
        {
            Assert.True(matrix.TryGet("blk.0.ffn_up.weight", [7, 4], out float[]? columns));
            Assert.Equal([1, 2, 0, 0.5f], columns);
            Assert.True(matrix.TryGet("blk.0.ffn_down_exps.weight", [2, 5, 2], out columns));
            Assert.Equal([1, 2, 3, 4], columns);
            Assert.False(matrix.TryGet("blk.9.ffn_up.weight", [7, 4], out _));
            Assert.Contains("belongs to another model", Assert.Throws<ModelFileException>(() => matrix.TryGet("blk.0.ffn_up.weight", [7, 5], out _)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void An_expert_that_was_never_asked_matters_evenly()
    {
        ImportanceMatrix matrix = ImportanceMatrix.Open(_folder.Write("a.gguf", new GgufBytes().Key("general.architecture", "none")
            .Tensor("e.weight.in_sum2", 0, [2, 2], Floats(2, 4, 0, 0)).Tensor("e.weight.counts", 0, [1, 2], Floats(2, 0)).ToArray()));
        Assert.True(matrix.TryGet("e.weight", [2, 3, 2], out float[]? columns));
        Assert.Equal([1, 2, 1, 1], columns);
    }

    [Theory]
    [InlineData(-1, 4, "entries")]
    [InlineData(1, -1, "numbers")]
    [InlineData(1, int.MaxValue, "more than the file holds")]
    public void Malformed_files_are_refused(int entries, int numbers, string fault)
    {
        byte[] bytes = [.. BitConverter.GetBytes(entries), .. BitConverter.GetBytes(1), (byte)'a', .. BitConverter.GetBytes(1), .. BitConverter.GetBytes(numbers), .. Floats(1, 2)];
        Assert.Contains(fault, Assert.Throws<ModelFileException>(() => ImportanceMatrix.Open(_folder.Write("bad.dat", bytes))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damage_is_refused_or_harmless()
    {
        byte[] valid = Entries(("blk.0.ffn_up.weight", 4, [4, 8, 0, 2]), ("x", 1, [1, 2]));
        for (int seed = 0; seed < Math.Min(Mutations.Cases(300), 20_000); seed++)
        {
            byte[] bytes = Mutations.Damage(valid, valid.Length, seed);
            if (bytes.Length == 0)
                continue;
            try
            {
                foreach (string name in ImportanceMatrix.Open(_folder.Write("fuzz.dat", bytes)).Names)
                    Assert.NotEmpty(name);
            }
            catch (ModelFileException refused)
            {
                Assert.NotEmpty(refused.Fault);
            }
        }
    }

    [Theory]
    [InlineData("Q4_K_M")]
    [InlineData("Q2_K")]
    [InlineData("Q4_0")]
    [InlineData("IQ4_NL")]
    public void Columns_that_matter_lose_less_in_files_and_in_folders(string name)
    {
        Assert.True(QuantisationMix.TryFind(name, out QuantisationMix? mix));
        string source = Fixtures.Path("gguf", "models", "glm4moe", "glm4moe.f32.gguf"), checkpoint = Fixtures.Path("text", "glm4_moe-mtp");
        Check(source, (target, importance) =>
        {
            using GgufFile file = GgufFile.Open(source);
            GgufQuantiser.Run(file, target, mix, importance: importance, cancel: TestContext.Current.CancellationToken);
        });
        string plain = _folder.File("plain.gguf");
        CheckpointConverter.Run(checkpoint, plain, QuantisationMix.Floats[0], cancel: TestContext.Current.CancellationToken);
        Check(plain, (target, importance) => CheckpointConverter.Run(checkpoint, target, mix, importance: importance, cancel: TestContext.Current.CancellationToken));
    }

    private void Check(string original, Action<string, ImportanceMatrix?> quantise)
    {
        using GgufFile file = GgufFile.Open(original);
        List<(string, int, float[])> entries = [];
        Random random = new(4);
        foreach (string tensor in file.Names)
        {
            Assert.True(file.TryGet(tensor, out StoredTensor? stored));
            if (QuantisationMix.Quantises(tensor, stored.Shape) && tensor != "token_embd.weight")
                entries.Add((tensor, 1, [.. Enumerable.Range(0, (int)(stored.Shape[^1] * (stored.Shape.Length == 3 ? stored.Shape[0] : 1))).Select(_ => MathF.Exp(4 * random.NextSingle()))]));
        }

        ImportanceMatrix importance = ImportanceMatrix.Open(_folder.Write("i.dat", Entries([.. entries])));
        quantise(_folder.File("without.gguf"), null);
        quantise(_folder.File("with.gguf"), importance);
        using GgufFile without = GgufFile.Open(_folder.File("without.gguf")), with = GgufFile.Open(_folder.File("with.gguf"));
        int better = 0, all = 0;
        foreach ((string tensor, _, _) in entries)
        {
            Assert.True(file.TryGet(tensor, out StoredTensor? stored));
            Assert.True(without.TryGet(tensor, out StoredTensor? plain));
            Assert.True(with.TryGet(tensor, out StoredTensor? weighted));
            Assert.True(importance.TryGet(tensor, stored.Shape, out float[]? columns));
            if (weighted.Format != plain.Format || !BlockCodecs.For(weighted.Format).HeedsImportance)
                continue;
            all++;
            better += Error(stored, weighted, columns) < Error(stored, plain, columns) ? 1 : 0;
        }

        Assert.True(all >= 4 && better >= all * 0.9, $"{better} of {all} tensors lose less");
    }

    private static double Error(StoredTensor original, StoredTensor quantised, float[] importance)
    {
        float[] x = original.ToFloats(), y = quantised.ToFloats();
        long columns = original.Shape[^1], perMatrix = x.Length / (importance.Length / columns);
        return Enumerable.Range(0, x.Length).Sum(i => importance[i / perMatrix * columns + i % columns] * Math.Pow(x[i] - y[i], 2));
    }

    private static byte[] Floats(params float[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    private static byte[] Entries(params (string Name, int Calls, float[] Values)[] entries) =>
    [
        .. BitConverter.GetBytes(entries.Length),
        .. entries.SelectMany(entry => (byte[])[.. BitConverter.GetBytes(entry.Name.Length), .. Encoding.UTF8.GetBytes(entry.Name), .. BitConverter.GetBytes(entry.Calls), .. BitConverter.GetBytes(entry.Values.Length), .. Floats(entry.Values)]),
        .. BitConverter.GetBytes(7),
    ];
}
