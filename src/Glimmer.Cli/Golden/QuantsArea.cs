using System.Text.Json;
using Glimmer.Kernels.Formats;
using Glimmer.Models;
using Glimmer.Models.Weights;

namespace Glimmer.Cli.Golden;

/// <summary>
/// Block formats: <c>quants.safetensors</c> with <c>TYPE.raw</c> and <c>TYPE.f32</c> (dequantisation, bit for bit) and <c>TYPE.quant_in</c>
/// and <c>TYPE.quant_out</c> (quantisation: byte for byte, or where the reference searches scales, an error that is no larger), and
/// <c>expect.json</c> with the size and number of each type.
/// </summary>
public sealed class QuantsArea : IGoldenArea
{
    // A search that lands on other scales may lose a little on one row and win on the next.
    private const double ErrorRatioAllowed = 1.001;

    /// <inheritdoc/>
    public string Name => "quants";

    /// <inheritdoc/>
    public bool Recognises(string folder) => File.Exists(Path.Combine(folder, "quants.safetensors")) && File.Exists(Path.Combine(folder, "expect.json"));

    /// <inheritdoc/>
    public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel)
    {
        using JsonDocument expect = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expect.json")));
        using SafetensorsFile data = SafetensorsFile.Open(Path.Combine(folder, "quants.safetensors"));
        foreach (JsonProperty type in expect.RootElement.GetProperty("types").EnumerateObject())
        {
            cancel.ThrowIfCancellationRequested();
            if (!Enum.TryParse(type.Name, out BlockFormat format) || !BlockCodecs.TryGet(format, out BlockCodec? codec))
            {
                yield return new GoldenCheck(type.Name, double.NaN, 0, "no codec for this format");
                continue;
            }

            yield return Layout(type, codec);
            if (data.TryGet($"{type.Name}.raw", out StoredTensor? raw) && data.TryGet($"{type.Name}.f32", out StoredTensor? values))
                yield return Dequantisation(type.Name, codec, raw.Bytes, values.ToFloats());
            if (data.TryGet($"{type.Name}.quant_in", out StoredTensor? input) && data.TryGet($"{type.Name}.quant_out", out StoredTensor? output))
            {
                bool searched = type.Value.TryGetProperty("quantised_by", out JsonElement by) && by.GetString()!.Contains("C reference", StringComparison.Ordinal);
                foreach (GoldenCheck check in Quantisation(type.Name, codec, input, output, searched))
                    yield return check;
            }
        }
    }

    private static GoldenCheck Layout(JsonProperty type, BlockCodec codec)
    {
        int length = type.Value.GetProperty("block").GetInt32(), bytes = type.Value.GetProperty("bytes").GetInt32(), number = type.Value.GetProperty("ggml_type").GetInt32();
        bool same = codec.BlockLength == length && codec.BytesPerBlock == bytes && (int)codec.Format == number;
        return new GoldenCheck($"{type.Name}.layout", same ? 0 : 1, 0,
            same ? null : $"expected type {number} with {bytes} bytes for {length} numbers, have type {(int)codec.Format} with {codec.BytesPerBlock} for {codec.BlockLength}");
    }

    private static GoldenCheck Dequantisation(string name, BlockCodec codec, ReadOnlySpan<byte> raw, float[] expected)
    {
        float[] actual = new float[expected.Length];
        codec.Dequantise(raw, actual);
        int wrong = 0, first = -1;
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(actual[i]) == BitConverter.SingleToInt32Bits(expected[i]) || float.IsNaN(actual[i]) && float.IsNaN(expected[i]))
                continue;
            wrong++;
            first = first < 0 ? i : first;
        }

        return new GoldenCheck($"{name}.dequantised", wrong, 0, wrong == 0 ? null : $"number {first}: {actual[first]:R} instead of {expected[first]:R}");
    }

    private static IEnumerable<GoldenCheck> Quantisation(string name, BlockCodec codec, StoredTensor input, StoredTensor output, bool searched)
    {
        if (!codec.CanQuantise)
        {
            yield return new GoldenCheck($"{name}.quantised", double.NaN, 0, "this format cannot be written");
            yield break;
        }

        int rows = (int)input.Shape[0], columns = (int)input.Shape[1], rowBytes = (int)output.Shape[1];
        if (codec.BytesFor(columns) != rowBytes)
            throw new ModelFileException(output.Name, $"has rows of {rowBytes} bytes where {columns} numbers take {codec.BytesFor(columns)}");
        float[] x = input.ToFloats();
        byte[] packed = new byte[rows * rowBytes];
        codec.Quantise(x, packed);
        byte[] expected = output.Bytes.ToArray();
        if (!searched)
        {
            int wrong = packed.Zip(expected).Count(pair => pair.First != pair.Second);
            int first = packed.AsSpan().CommonPrefixLength(expected);
            yield return new GoldenCheck($"{name}.quantised", wrong, 0, wrong == 0 ? null : $"byte {first}: {packed[first]} instead of {expected[first]}");
            yield break;
        }

        for (int row = 0; row < rows; row++)
        {
            double error = Error(codec, packed.AsSpan(row * rowBytes, rowBytes), x.AsSpan(row * columns, columns));
            double reference = Error(codec, expected.AsSpan(row * rowBytes, rowBytes), x.AsSpan(row * columns, columns));
            yield return new GoldenCheck($"{name}.quantised.{row}", error, reference * ErrorRatioAllowed, $"root mean square error; the reference has {reference:G6}");
        }
    }

    private static double Error(BlockCodec codec, ReadOnlySpan<byte> packed, ReadOnlySpan<float> x)
    {
        float[] back = new float[x.Length];
        codec.Dequantise(packed, back);
        double sum = 0;
        for (int i = 0; i < back.Length; i++)
            sum += ((double)back[i] - x[i]) * ((double)back[i] - x[i]);
        return Math.Sqrt(sum / back.Length);
    }
}
