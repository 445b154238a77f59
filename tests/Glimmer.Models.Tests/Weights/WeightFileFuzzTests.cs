using System.Text.Json;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Weights;
using Glimmer.Models.Weights.Schemes;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Weights;

/// <summary>Damaged files open or are refused, and nothing else: no other exception, no read outside the file, no allocation out of proportion.</summary>
public sealed class WeightFileFuzzTests
{
    private static readonly byte[] _synthetic = new GgufBytes().Key("general.architecture", "glm4").Key("general.alignment", 32u)
        .Strings("tokens", [.. Enumerable.Range(0, 40).Select(i => $"t{i}")]).Array("scores", 6, 3, new byte[12]).Array("flags", 7, 2, 1, 0).Key("b", 7, 1).Key("f", 12, new byte[8])
        .Array("nested", 9, 1, [4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0])
        .Floats("v", 1, 2, 3).Tensor("q", 8, [32, 2], new byte[68]).Tensor("k", 12, [256, 1], new byte[144]).Tensor("s", 26, [], new byte[4]).ToArray();

    [Fact]
    public void Gguf()
    {
        byte[] micro = File.ReadAllBytes(Fixtures.Path("gguf", "malformed", "micro-context-max.gguf"));
        int accepted = 0, cases = Mutations.Cases(6000);
        for (int seed = 0; seed < cases; seed++)
        {
            byte[] bytes = seed % 4 == 0 ? Mutations.Damage(micro, 5000, seed) : Mutations.Damage(_synthetic, _synthetic.Length, seed);
            accepted += Bounded(seed, bytes.Length, () => ReadAll(GgufFile.FromMemory("fuzz.gguf", bytes))) ? 1 : 0;
        }

        Assert.InRange(accepted, cases / 100 + 1, cases * 9 / 10); // damage that is always or never noticed tests nothing
    }

    [Fact]
    public void Safetensors()
    {
        byte[] valid = new SafetensorsBytes().Add("a", "F32", [2, 3], new float[6]).Add("b", "BF16", [4], new short[4]).Add("c", "U8", [], (byte)3).Add("d", "F8_E4M3", [2, 2], new byte[4]).ToArray();
        int accepted = 0, cases = Mutations.Cases(6000);
        for (int seed = 0; seed < cases; seed++)
        {
            byte[] bytes = Mutations.Damage(valid, valid.Length, seed);
            accepted += Bounded(seed, bytes.Length, () => ReadAll(SafetensorsFile.FromMemory("fuzz.safetensors", bytes))) ? 1 : 0;
        }

        Assert.InRange(accepted, cases / 100 + 1, cases * 9 / 10); // damage that is always or never noticed tests nothing
    }

    [Theory]
    [InlineData("awq-glm4")]
    [InlineData("gptq-glm4")]
    [InlineData("ct-int4-glm4")]
    [InlineData("fp8-block-glm4_moe")]
    public void Quantised_checkpoints(string name)
    {
        byte[] valid = OneModule(File.ReadAllBytes(Fixtures.Path("text", name, "model.safetensors")));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("text", name, "config.json")));
        JsonElement scheme = CheckpointScheme.FindConfiguration(config.RootElement)!.Value;
        int header = 8 + (int)BitConverter.ToInt64(valid);
        int accepted = 0, cases = Mutations.Cases(200);
        for (int seed = 0; seed < cases; seed++)
        {
            // Shapes and types swap often here: another digit, another name of equal length.
            byte[] bytes = Mutations.Damage(valid, header, seed);
            accepted += Bounded(seed, bytes.Length, () => ReadAll(CheckpointScheme.Wrap(SafetensorsFile.FromMemory("fuzz.safetensors", bytes), scheme))) ? 1 : 0;
        }

        Assert.InRange(accepted, cases / 100 + 1, cases * 9 / 10); // damage that is always or never noticed tests nothing
    }

    [Fact]
    public void Indexes()
    {
        using TemporaryFolder folder = new();
        folder.Write("s1.safetensors", SafetensorsTests.Tensor("a", 1));
        folder.Write("s2.safetensors", SafetensorsTests.Tensor("b", 1));
        byte[] valid = """{"metadata":{"total_size":8},"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}}"""u8.ToArray();
        int accepted = 0, cases = Math.Min(Mutations.Cases(300), 20_000);
        for (int seed = 0; seed < cases; seed++)
        {
            string path = folder.Write("model.safetensors.index.json", Mutations.Damage(valid, valid.Length, seed));
            accepted += Bounded(seed, valid.Length, () => ReadAll(SafetensorsCheckpoint.OpenIndex(path))) ? 1 : 0;
        }

        Assert.InRange(accepted, cases / 100 + 1, cases * 9 / 10); // damage that is always or never noticed tests nothing
    }

    // The parts of one quantised weight and a norm: what a scheme reads, a hundredth of the file.
    private static byte[] OneModule(byte[] file)
    {
        int header = (int)BitConverter.ToInt64(file);
        using JsonDocument names = JsonDocument.Parse(file.AsMemory(8, header));
        Dictionary<string, object> kept = [];
        List<byte> data = [];
        foreach (JsonProperty tensor in names.RootElement.EnumerateObject())
        {
            if (!tensor.Name.StartsWith("model.layers.0.self_attn.k_proj.", StringComparison.Ordinal) && tensor.Name != "model.norm.weight")
                continue;
            int[] range = [.. tensor.Value.GetProperty("data_offsets").EnumerateArray().Select(offset => offset.GetInt32())];
            kept[tensor.Name] = new { dtype = tensor.Value.GetProperty("dtype").GetString(), shape = tensor.Value.GetProperty("shape").Deserialize<long[]>(), data_offsets = (int[])[data.Count, data.Count + range[1] - range[0]] };
            data.AddRange(file.AsSpan(8 + header + range[0], range[1] - range[0]));
        }

        Assert.True(kept.Count >= 3);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(kept);
        return [.. BitConverter.GetBytes((long)json.Length), .. json, .. data];
    }

    // Whether the file was accepted.
    private static bool Bounded(int seed, long length, Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool accepted = false;
        try
        {
            action();
            accepted = true;
        }
        catch (ModelFileException refused)
        {
            Assert.NotEmpty(refused.Fault);
        }
        catch (Exception fault)
        {
            Assert.Fail($"seed {seed}: {fault}");
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < (1 << 20) + 100 * length, $"seed {seed}: {allocated} bytes allocated for {length}");
        return accepted;
    }

    private static void ReadAll(IWeightSource source)
    {
        using (source)
        {
            foreach (string name in source.Names)
            {
                if (source is DequantisedSource scheme && scheme.TryFind(name, out QuantisedTensor? computed))
                {
                    Glimmer.Kernels.RowSource rows = computed.Open();
                    float[] row = new float[rows.Columns];
                    for (int r = 0; r < rows.Rows; r++)
                        rows.Read(r, row);
                }

                if (source.TryGet(name, out StoredTensor? tensor) && tensor.Count > 0 && tensor.Count <= 1 << 20)
                    tensor.ToFloats();
            }

            if (source is not GgufFile file)
                return;
            foreach (string key in file.Metadata.Keys)
            {
                switch (file.Metadata.TypeOf(key), file.Metadata.IsArray(key))
                {
                    case (GgufValueType.String, _):
                        Try(() => file.Metadata.GetString(key));
                        break;
                    case (_, true):
                        Try(() => _ = file.Metadata.GetStrings(key).Count(text => text.Length > 0));
                        Try(() => file.Metadata.GetInt32s(key));
                        Try(() => file.Metadata.GetSingles(key));
                        Try(() => file.Metadata.GetBooleans(key));
                        break;
                    default:
                        Try(() => file.Metadata.GetInt64(key));
                        Try(() => file.Metadata.GetSingle(key));
                        Try(() => file.Metadata.GetBoolean(key));
                        break;
                }
            }
        }

        // What a value is refused for does not matter here, only that it is.
        static void Try(Action read) => Assert.True(Record.Exception(read) is null or ModelFileException);
    }
}
