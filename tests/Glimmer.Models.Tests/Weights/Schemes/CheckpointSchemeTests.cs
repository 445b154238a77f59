using System.Text.Json;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Weights;
using Glimmer.Models.Weights.Schemes;

namespace Glimmer.Models.Tests.Weights.Schemes;

public sealed class CheckpointSchemeTests
{
    private const string W = "m.weight";

    [Fact]
    public void Block_scales_cover_partial_blocks_and_stacked_experts()
    {
        // 3 experts of 5 x 7 in blocks of 2 x 3: 3 x 3 scales each
        byte[] codes = [.. Enumerable.Range(0, 105).Select(i => (byte)(0x30 + i % 16))];
        float[] scales = [.. Enumerable.Range(1, 27).Select(i => i * 0.5f)];
        using IWeightSource source = Wrap("""{"quant_method":"fp8","weight_block_size":[2,3]}""", new SafetensorsBytes()
            .Add("e.gate_up_proj", "F8_E4M3", [3, 5, 7], codes).Add("e.gate_up_proj_scale_inv", "F32", [3, 3, 3], scales));
        float[] table = new float[256];
        BlockCodecs.For(BlockFormat.F8_E4M3).Dequantise([.. Enumerable.Range(0, 256).Select(i => (byte)i)], table);
        float[] actual = Floats(source, "e.gate_up_proj");
        for (int i = 0; i < 105; i++)
            Assert.Equal(table[codes[i]] * scales[i / 35 * 9 + i % 35 / 7 / 2 * 3 + i % 7 / 3], actual[i]);
        Assert.Equal(["e.gate_up_proj"], source.Names);
    }

    [Theory]
    [InlineData("[1]", 1)]
    [InlineData("[2,1]", 2)]
    [InlineData("[2]", 2)]
    public void Channel_and_tensor_scales(string shape, int count)
    {
        using IWeightSource source = Wrap("""{"quant_method":"compressed-tensors","format":"float-quantized"}""", new SafetensorsBytes()
            .Add<byte>(W, "F8_E4M3", [2, 3], 0x38, 0x40, 0xB8, 0x38, 0x40, 0xB8) // 1, 2, −1
            .Add("m.weight_scale", "F32", JsonSerializer.Deserialize<long[]>(shape)!, [.. new[] { 3f, 10f }.Take(count)])
            .Add("m.input_scale", "F32", [1], 1f));
        float second = count == 1 ? 3 : 10;
        Assert.Equal([3, 6, -3, second, 2 * second, -second], Floats(source, W));
        Assert.Equal([W], source.Names);
    }

    [Fact]
    public void Integers_of_eight_bits()
    {
        using IWeightSource source = Wrap("""{"quant_method":"compressed-tensors","format":"int-quantized","config_groups":{"g":{"weights":{"num_bits":8,"strategy":"channel","symmetric":true}}}}""",
            new SafetensorsBytes().Add<sbyte>(W, "I8", [2, 2], -128, 127, 5, -5).Add("m.weight_scale", "F32", [2, 1], 0.5f, 2f));
        Assert.Equal([-64, 63.5f, 10, -10], Floats(source, W));
    }

    [Theory]
    [InlineData(4, true, false)]
    [InlineData(4, false, false)]
    [InlineData(8, true, false)]
    [InlineData(8, false, false)]
    [InlineData(4, false, true)]
    public void Packed_integers_of_odd_widths(int bits, bool symmetric, bool permuted)
    {
        const int rows = 5, columns = 11, group = 4, groups = 3;
        Random random = new(bits);
        int half = 1 << (bits - 1), per = 32 / bits;
        int[,] q = new int[rows, columns], z = new int[rows, groups];
        float[] scales = [.. Enumerable.Range(0, rows * groups).Select(_ => random.NextSingle())];
        int[] groupOf = [.. Enumerable.Range(0, columns).Select(i => permuted ? i % groups : i / group)];
        uint[] packed = new uint[rows * ((columns + per - 1) / per)], zeros = new uint[(rows + per - 1) / per * groups];
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                q[r, c] = random.Next(-half, half);
                packed[r * ((columns + per - 1) / per) + c / per] |= (uint)(q[r, c] + half) << (c % per * bits);
            }

            for (int g = 0; g < groups && !symmetric; g++)
            {
                z[r, g] = random.Next(-half, half);
                zeros[r / per * groups + g] |= (uint)(z[r, g] + half) << (r % per * bits);
            }
        }

        SafetensorsBytes bytes = new SafetensorsBytes().Add("m.weight_packed", "I32", [rows, (columns + per - 1) / per], packed)
            .Add("m.weight_scale", "F32", [rows, groups], scales).Add<long>("m.weight_shape", "I64", [2], rows, columns).Add("m.bias", "F32", [1], 7f);
        if (!symmetric)
            bytes.Add("m.weight_zero_point", "I32", [(rows + per - 1) / per, groups], zeros);
        if (permuted)
            bytes.Add("m.weight_g_idx", "I32", [columns], groupOf);
        using IWeightSource source = Wrap($$$$$"""{"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"weights":{"num_bits":{{{{{bits}}}}},"group_size":{{{{{group}}}}},"type":"int"}}}}""", bytes);
        float[] actual = Floats(source, W);
        for (int i = 0; i < actual.Length; i++)
        {
            int r = i / columns, c = i % columns;
            Assert.Equal((q[r, c] - z[r, groupOf[c]]) * scales[r * groups + groupOf[c]], actual[i]);
        }

        Assert.Equal(rows * columns, actual.Length);
        Assert.Equal([7], Floats(source, "m.bias"));
    }

    [Theory]
    [InlineData(2, "gptq", true)]
    [InlineData(4, "gptq", true)]
    [InlineData(4, "gptq", false)]
    [InlineData(4, "gptq_v2", false)]
    [InlineData(8, "gptq_v2", true)]
    public void Gptq_of_several_widths_with_and_without_an_index(int bits, string format, bool indexed)
    {
        const int inputs = 48, outputs = 16, group = 16, groups = 3;
        Random random = new(bits);
        int mask = (1 << bits) - 1, per = 32 / bits;
        int[] q = [.. Enumerable.Range(0, inputs * outputs).Select(_ => random.Next(mask + 1))], z = [.. Enumerable.Range(0, groups * outputs).Select(_ => random.Next(mask + 1))];
        float[] scales = [.. Enumerable.Range(0, groups * outputs).Select(_ => random.NextSingle())];
        int[] groupOf = [.. Enumerable.Range(0, inputs).Select(i => indexed ? (i * 7) % groups : i / group)];
        uint[] codes = new uint[inputs / per * outputs], zeros = new uint[groups * outputs / per];
        for (int i = 0; i < inputs; i++)
        {
            for (int o = 0; o < outputs; o++)
                codes[i / per * outputs + o] |= (uint)q[i * outputs + o] << (i % per * bits);
        }

        int offset = format == "gptq" ? 1 : 0;
        for (int k = 0; k < z.Length; k++)
            zeros[k / per] |= (uint)((z[k] - offset) & mask) << (k % per * bits);
        SafetensorsBytes bytes = new SafetensorsBytes().Add("m.qweight", "I32", [inputs / per, outputs], codes)
            .Add("m.qzeros", "I32", [groups, outputs / per], zeros).Add("m.scales", "F32", [groups, outputs], scales);
        if (indexed)
            bytes.Add("m.g_idx", "I32", [inputs], groupOf);
        using IWeightSource source = Wrap($$"""{"quant_method":"gptq","bits":{{bits}},"group_size":{{group}},"checkpoint_format":"{{format}}"}""", bytes);
        Assert.Equal([W], source.Names);
        float[] actual = Floats(source, W);
        for (int o = 0; o < outputs; o++)
        {
            for (int i = 0; i < inputs; i++)
                Assert.Equal((q[i * outputs + o] - z[groupOf[i] * outputs + o]) * scales[groupOf[i] * outputs + o], actual[o * inputs + i]);
        }
    }

    [Fact]
    public void Awq_interleaves_eight_outputs()
    {
        uint codes = 0x76543210, zeros = 0x11111111; // nibbles 0 … 7 are columns 0 2 4 6 1 3 5 7
        using IWeightSource source = Wrap("""{"quant_method":"awq","bits":4,"group_size":-1,"version":"GEMM"}""", new SafetensorsBytes()
            .Add("m.qweight", "I32", [1, 1], codes).Add("m.qzeros", "I32", [1, 1], zeros).Add("m.scales", "F32", [1, 8], 1f, 1, 1, 1, 1, 1, 1, 2));
        Assert.True(source.TryGet(W, out StoredTensor? weight));
        Assert.Equal([8, 1], weight.Shape);
        Assert.Equal([-1, 3, 0, 4, 1, 5, 2, 12], weight.ToFloats());
    }

    [Theory]
    [InlineData("""{"quant_method":"bitsandbytes"}""", "'bitsandbytes'")]
    [InlineData("""{}""", "quant_method")]
    [InlineData("""{"quant_method":5}""", "a string is needed")]
    [InlineData("""{"quant_method":"awq","version":"gemv"}""", "gemv")]
    [InlineData("""{"quant_method":"awq","bits":3}""", "3 bits")]
    [InlineData("""{"quant_method":"gptq","bits":3}""", "3 bits")]
    [InlineData("""{"quant_method":"gptq","checkpoint_format":"marlin"}""", "marlin")]
    [InlineData("""{"quant_method":"gptq","group_size":0}""", "'group_size' = 0")]
    [InlineData("""{"quant_method":"compressed-tensors","format":"marlin-24"}""", "marlin-24")]
    [InlineData("""{"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"a":{"weights":{"num_bits":4}}}}""", "4 bits")]
    [InlineData("""{"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"a":{"weights":{"type":"float"}}}}""", "'float'")]
    [InlineData("""{"quant_method":"fp8","weight_block_size":[0,128]}""", "weight_block_size")]
    [InlineData("""{"quant_method":"fp8","fmt":"e3m4"}""", "e3m4")]
    public void Unsupported_methods_are_refused_by_name(string configuration, string fault) =>
        Assert.Contains(fault, Assert.Throws<ModelFileException>(() => Wrap(configuration, new SafetensorsBytes())).Message, StringComparison.Ordinal);

    [Fact]
    public void Parts_that_do_not_fit_are_refused()
    {
        const string fp8 = """{"quant_method":"fp8","weight_block_size":[128,128]}""", awq = """{"quant_method":"awq","group_size":32}""", gptq = """{"quant_method":"gptq","group_size":8}""";
        Refused(fp8, "has no scale", new SafetensorsBytes().Add(W, "F8_E4M3", [1, 1], (byte)1));
        Refused(fp8, "[2, 1]", new SafetensorsBytes().Add(W, "F8_E4M3", [129, 2], new byte[258]).Add("m.weight_scale_inv", "F32", [3, 1], 1f, 1, 1));
        Refused(fp8, "F8_E4M3", new SafetensorsBytes().Add(W, "F32", [1, 1], 1f).Add("m.weight_scale_inv", "F32", [1, 1], 1f));
        Refused(fp8, "NaN", new SafetensorsBytes().Add(W, "F8_E4M3", [1, 1], (byte)1).Add("m.weight_scale_inv", "F32", [1, 1], float.NaN));
        Refused(awq, "m.qzeros", new SafetensorsBytes().Add("m.qweight", "I32", [32, 1], new int[32]).Add("m.scales", "F32", [1, 8], new float[8]));
        Refused(awq, "[2, 8]", new SafetensorsBytes().Add("m.qweight", "I32", [64, 1], new int[64]).Add("m.qzeros", "I32", [2, 1], 0, 0).Add("m.scales", "F32", [1, 8], new float[8]));
        SafetensorsBytes Gptq() => new SafetensorsBytes().Add("m.qweight", "I32", [1, 8], new int[8]).Add("m.qzeros", "I32", [1, 1], 0).Add("m.scales", "F32", [1, 8], new float[8]);
        Refused(gptq, "puts input 3 into group 1", Gptq().Add("m.g_idx", "I32", [8], 0, 0, 0, 1, 0, 0, 0, 0));
        Refused(gptq, "puts input 0 into group -1", Gptq().Add("m.g_idx", "I32", [8], -1, 0, 0, 1, 0, 0, 0, 0));
        Refused(gptq, "both", Gptq().Add(W, "F32", [8, 8], new float[64]));
        const string packed = """{"quant_method":"compressed-tensors","format":"pack-quantized"}""";
        Refused(packed, "says it is [1, 80]", new SafetensorsBytes().Add("m.weight_packed", "I32", [1, 1], 0).Add("m.weight_scale", "F32", [1, 1], 1f).Add<long>("m.weight_shape", "I64", [2], 1, 80));
        Refused(packed, "weight_shape", new SafetensorsBytes().Add("m.weight_packed", "I32", [1, 1], 0).Add("m.weight_scale", "F32", [1, 1], 1f));

        static void Refused(string configuration, string fault, SafetensorsBytes bytes)
        {
            using IWeightSource source = Wrap(configuration, bytes);
            Assert.True(source.Contains(W));
            Assert.Contains(fault, Assert.Throws<ModelFileException>(() => source.TryGet(W, out _)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_weight_is_computed_once_while_it_is_in_use_and_its_memory_outlives_the_source()
    {
        IWeightSource source = Wrap("""{"quant_method":"fp8"}""", new SafetensorsBytes().Add<byte>(W, "F8_E4M3", [1, 2], 0x38, 0x40).Add("m.weight_scale_inv", "F32", [1], 2f));
        Assert.True(source.TryGet(W, out StoredTensor? first));
        Assert.True(source.TryGet(W, out StoredTensor? second));
        Assert.Equal(first.Address, second.Address);
        source.Dispose();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal([2, 4], first.ToFloats());
        Assert.Same(first.Owner, second.Owner);
    }

    [Fact]
    public void Large_weights_are_computed_in_parallel_with_the_same_result()
    {
        const int rows = 700, columns = 600; // above the bound for several threads
        byte[] codes = new byte[rows * columns];
        new Random(1).NextBytes(codes);
        foreach (ref byte code in codes.AsSpan())
            code = (byte)(code & 0xBF); // no NaN
        float[] scales = [.. Enumerable.Range(0, 6 * 5).Select(i => i + 1f)];
        using IWeightSource source = Wrap("""{"quant_method":"fp8","weight_block_size":[128,128]}""", new SafetensorsBytes()
            .Add(W, "F8_E4M3", [rows, columns], codes).Add("m.weight_scale_inv", "F32", [6, 5], scales));
        float[] plain = new float[codes.Length];
        BlockCodecs.For(BlockFormat.F8_E4M3).Dequantise(codes, plain);
        float[] actual = Floats(source, W);
        for (int i = 0; i < plain.Length; i++)
        {
            if (plain[i] * scales[i / columns / 128 * 5 + i % columns / 128] != actual[i])
                Assert.Fail($"differs at {i}");
        }
    }

    // The expanded weight; that its rows read one by one are the same bit for bit is checked on the way.
    private static float[] Floats(IWeightSource source, string name)
    {
        float[] expanded = source.TryGet(name, out StoredTensor? tensor) ? tensor.ToFloats() : throw new KeyNotFoundException(name);
        if (source is not DequantisedSource computing || !computing.TryFind(name, out QuantisedTensor? quantised))
            return expanded;
        RowSource rows = computing.Open(quantised);
        Assert.Same(rows, computing.Open(quantised));
        Assert.Equal(expanded.Length, (long)rows.Rows * rows.Columns);
        Assert.InRange(rows.Bytes, 1, quantised.MappedBytes + quantised.CopiedBytes);
        float[] row = new float[rows.Columns];
        for (int r = 0; r < rows.Rows; r++)
        {
            rows.Read(r, row);
            Assert.Equal(expanded.AsSpan(r * row.Length, row.Length).ToArray().Select(BitConverter.SingleToUInt32Bits), row.Select(BitConverter.SingleToUInt32Bits));
        }

        return expanded;
    }

    private static IWeightSource Wrap(string configuration, SafetensorsBytes bytes)
    {
        using JsonDocument json = JsonDocument.Parse(configuration);
        return CheckpointScheme.Wrap(bytes.Open(), json.RootElement);
    }
}
