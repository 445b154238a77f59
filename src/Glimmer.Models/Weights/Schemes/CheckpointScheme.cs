using System.Text.Json;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>
/// Reads checkpoints whose linear weights are quantised in a way that safetensors itself does not know: block and per-channel FP8,
/// 8-bit integers, AWQ, GPTQ, and compressed-tensors' packed integers. <c>config.json</c> names the method; which weights are quantised is
/// seen from the tensors that are there, because published exclusion lists are not always right.
/// </summary>
public abstract class CheckpointScheme
{
    private static readonly string[] _methods = ["fp8", "compressed-tensors (float-quantized, int-quantized, naive-quantized, pack-quantized)", "awq (gemm)", "gptq"];

    private protected CheckpointScheme()
    {
    }

    /// <summary>
    /// Puts the scheme between a checkpoint and its reader: the result has every weight under its plain name (<c>….q_proj.weight</c>); scales,
    /// zero points and the like are hidden.
    /// </summary>
    /// <remarks>
    /// A quantised weight that is asked for as a tensor is expanded to 32-bit floats in memory of its own: four bytes per number, where the file has
    /// one or a half. It stays as long as someone holds the tensor. The loader does not ask for it: it reads such weights row by row.
    /// </remarks>
    /// <param name="raw">The checkpoint; the result owns it.</param>
    /// <param name="quantizationConfig">The object under <c>quantization_config</c> (see <see cref="FindConfiguration"/>).</param>
    /// <exception cref="ModelFileException">The method is not supported, or the tensors do not fit it.</exception>
    public static IWeightSource Wrap(IWeightSource raw, JsonElement quantizationConfig) =>
        new DequantisedSource(raw, Create(raw.Location, quantizationConfig));

    /// <summary>Checks the description of a quantisation without any weights.</summary>
    /// <param name="location">The file it stands in, for messages.</param>
    /// <param name="quantizationConfig">The object under <c>quantization_config</c>.</param>
    /// <exception cref="ModelFileException">The method is not supported.</exception>
    public static void Check(string location, JsonElement quantizationConfig) => Create(location, quantizationConfig);

    /// <summary>Finds the description of the quantisation in a parsed <c>config.json</c>, also that of a nested text model; null when there is none.</summary>
    public static JsonElement? FindConfiguration(JsonElement config)
    {
        if (config.ValueKind != JsonValueKind.Object)
            return null;
        foreach (string key in new[] { "quantization_config", "compression_config" })
        {
            if (config.TryGetProperty(key, out JsonElement found) && found.ValueKind == JsonValueKind.Object)
                return found;
        }

        return config.TryGetProperty("text_config", out JsonElement text) ? FindConfiguration(text) : null;
    }

    /// <summary>
    /// What a stored tensor is: the plain name it is shown under, or null when it is a part of another weight and hidden.
    /// </summary>
    internal abstract string? PlainName(string stored, IWeightSource raw);

    /// <summary>The quantised weight of that name, or null when the stored tensor of the same name is the weight.</summary>
    internal abstract QuantisedTensor? Find(string plain, IWeightSource raw);

    private static CheckpointScheme Create(string location, JsonElement quantizationConfig)
    {
        SchemeConfiguration configuration = new(location, quantizationConfig);
        string method = configuration.Text("quant_method") ?? throw configuration.Fault("has no 'quant_method'");
        return method switch
        {
            "fp8" => ScaledScheme.Fp8(configuration),
            "compressed-tensors" => CompressedTensors(configuration),
            "awq" => new AwqScheme(configuration),
            "gptq" => new GptqScheme(configuration),
            _ => throw configuration.Fault($"names the method '{method}', which is not supported; supported are {string.Join(", ", _methods)}, and unquantised checkpoints"),
        };
    }

    private static CheckpointScheme CompressedTensors(SchemeConfiguration configuration)
    {
        string format = configuration.Text("format") ?? "dense";
        return format switch
        {
            "float-quantized" or "int-quantized" or "naive-quantized" => ScaledScheme.CompressedTensors(configuration),
            "pack-quantized" => new PackedScheme(configuration),
            _ => throw configuration.Fault($"names the compressed-tensors format '{format}', which is not supported; supported are float-quantized, int-quantized, naive-quantized and pack-quantized"),
        };
    }
}
