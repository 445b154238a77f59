using System.Globalization;
using System.Runtime.InteropServices;
using Glimmer.Kernels.Formats;

namespace Glimmer.Kernels.Tests.Formats;

/// <summary>
/// What quantising loses, ours beside the reference's on the same numbers. The reference is ggml's library, whose path
/// <c>GLIMMER_GGML_LIBRARY</c> gives (<c>libggml-base.so</c> of any llama.cpp); without it only what needs none is checked.
/// </summary>
public sealed unsafe class QuantisationErrorTests
{
    private const int Rows = 64;
    private const int Columns = 2048;

    private static readonly BlockFormat[] _formats =
    [
        BlockFormat.Q8_0, BlockFormat.Q4_0, BlockFormat.Q4_1, BlockFormat.Q5_0, BlockFormat.Q5_1, BlockFormat.Q2_K, BlockFormat.Q3_K, BlockFormat.Q4_K, BlockFormat.Q5_K, BlockFormat.Q6_K, BlockFormat.IQ4_NL, BlockFormat.IQ4_XS,
    ];

    public static TheoryData<BlockFormat> Formats => [.. _formats];

    public static TheoryData<BlockFormat> Weighted => [.. _formats.Where(format => BlockCodecs.For(format).HeedsImportance)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Errors_are_no_larger_than_the_references(BlockFormat format)
    {
        string? library = Environment.GetEnvironmentVariable("GLIMMER_GGML_LIBRARY");
        Assert.SkipWhen(string.IsNullOrEmpty(library), "GLIMMER_GGML_LIBRARY names no library.");
        float[] x = Numbers(), importance = Importance();
        BlockCodec codec = BlockCodecs.For(format);
        foreach (bool weighted in (bool[])[false, true])
        {
            byte[] ours = Ours(codec, x, weighted ? importance : null), theirs = Theirs(library!, format, x, weighted ? importance : null);
            (double ourRms, double ourMost) = Error(codec, x, ours, weighted ? importance : null);
            (double theirRms, double theirMost) = Error(codec, x, theirs, weighted ? importance : null);
            int different = Enumerable.Range(0, ours.Length / codec.BytesPerBlock).Count(block => !ours.AsSpan(block * codec.BytesPerBlock, codec.BytesPerBlock).SequenceEqual(theirs.AsSpan(block * codec.BytesPerBlock, codec.BytesPerBlock)));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {format} | {(weighted ? "yes" : "no")} | {ourRms:0.000000} | {theirRms:0.000000} | {ourMost:0.0000} | {theirMost:0.0000} | {100.0 * different / (ours.Length / codec.BytesPerBlock):0.0} % |"));
            Assert.True(ourRms <= theirRms * 1.0005, $"{format}{(weighted ? " with importance" : "")}: {ourRms} is more than {theirRms}");
        }
    }

    [Theory]
    [MemberData(nameof(Weighted))]
    public void Importance_lessens_the_error_where_it_matters(BlockFormat format)
    {
        float[] x = Numbers(), importance = Importance();
        BlockCodec codec = BlockCodecs.For(format);
        double with = Error(codec, x, Ours(codec, x, importance), importance).Rms, without = Error(codec, x, Ours(codec, x, null), importance).Rms;
        Assert.True(with < without, $"{format}: {with} with importance, {without} without");
    }

    [Theory]
    [MemberData(nameof(Weighted))]
    public void Any_importance_gives_finite_numbers(BlockFormat format)
    {
        BlockCodec codec = BlockCodecs.For(format);
        Random random = new(5);
        float[] values = new float[256], importance = new float[256], back = new float[256];
        byte[] blocks = new byte[codec.BytesFor(256)];
        for (int round = 0; round < 200; round++)
        {
            for (int i = 0; i < 256; i++)
            {
                values[i] = round % 5 == 0 ? 0 : (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-20, 4));
                importance[i] = round % 3 == 0 ? 0 : random.NextSingle() * MathF.Pow(10, random.Next(-20, 10));
            }

            codec.Quantise(values, importance, blocks);
            codec.Dequantise(blocks, back);
            Assert.All(back, value => Assert.True(float.IsFinite(value)));
        }

        Assert.Throws<ArgumentException>(() => codec.Quantise(values, importance.AsSpan(1), blocks));
    }

    private static byte[] Ours(BlockCodec codec, float[] x, float[]? importance)
    {
        int bytes = (int)codec.BytesFor(Columns);
        byte[] blocks = new byte[bytes * Rows];
        for (int row = 0; row < Rows; row++)
        {
            ReadOnlySpan<float> values = x.AsSpan(row * Columns, Columns);
            if (importance is null)
                codec.Quantise(values, blocks.AsSpan(row * bytes, bytes));
            else
                codec.Quantise(values, importance, blocks.AsSpan(row * bytes, bytes));
        }

        return blocks;
    }

    // size_t ggml_quantize_chunk(type, src, dst, start, nrows, n_per_row, imatrix)
    private static byte[] Theirs(string library, BlockFormat format, float[] x, float[]? importance)
    {
        nint handle = NativeLibrary.Load(library);
        var quantise = (delegate* unmanaged[Cdecl]<int, float*, void*, long, long, long, float*, nuint>)NativeLibrary.GetExport(handle, "ggml_quantize_chunk");
        byte[] blocks = new byte[BlockCodecs.For(format).BytesFor((long)Rows * Columns)];
        fixed (float* source = x, weights = importance)
        {
            fixed (byte* target = blocks)
                Assert.Equal((nuint)blocks.Length, quantise((int)format, source, target, 0, Rows, Columns, weights));
        }

        return blocks;
    }

    private static (double Rms, double Most) Error(BlockCodec codec, float[] x, byte[] blocks, float[]? importance)
    {
        float[] back = new float[x.Length];
        codec.Dequantise(blocks, back);
        double squares = 0, weights = 0, most = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double difference = (double)x[i] - back[i], weight = importance?[i % Columns] ?? 1;
            squares += weight * difference * difference;
            weights += weight;
            most = Math.Max(most, Math.Abs(difference));
        }

        return (Math.Sqrt(squares / weights), most);
    }

    // As weights are: normal, with rows and columns of different widths and a few outliers.
    private static float[] Numbers()
    {
        Random random = new(17);
        float[] column = [.. Enumerable.Range(0, Columns).Select(_ => MathF.Exp(Normal(random) * 0.3f))], x = new float[Rows * Columns];
        for (int i = 0; i < x.Length; i++)
            x[i] = Normal(random) * column[i % Columns] * 0.02f * (random.Next(1000) == 0 ? 8 : 1);
        return x;
    }

    private static float[] Importance()
    {
        Random random = new(18);
        return [.. Enumerable.Range(0, Columns).Select(_ => MathF.Exp(Normal(random) * 1.5f))];
    }

    private static float Normal(Random random) => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
}
