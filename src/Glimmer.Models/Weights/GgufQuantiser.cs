using System.Globalization;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights;

/// <summary>One tensor of a model that is being quantised.</summary>
/// <param name="Number">Its place, from 1.</param>
/// <param name="Total">Tensors in the model.</param>
/// <param name="Name">Its name.</param>
/// <param name="From">Its format in the source.</param>
/// <param name="To">Its format in the target.</param>
/// <param name="FellBack">Whether its width forced another format than the recipe's.</param>
public sealed record QuantiseProgress(int Number, int Total, string Name, BlockFormat From, BlockFormat To, bool FellBack);

/// <summary>Writes a GGUF model anew with fewer bits per weight.</summary>
public static class GgufQuantiser
{
    private const int Buffer = 1 << 20;

    /// <summary>
    /// Quantises a model by a recipe. The target appears under its name only when it is complete and on disk; until then it grows beside it with
    /// the ending <c>.part</c>, which an error or cancellation removes.
    /// </summary>
    /// <param name="source">A model, whole or split; the target is one file.</param>
    /// <param name="target">The file to write; an existing one is replaced.</param>
    /// <param name="mix">The recipe.</param>
    /// <param name="progress">Told of each tensor before it is written.</param>
    /// <param name="allowRequantise">Whether weights that are quantised already may be quantised again, which loses more than quantising the original.</param>
    /// <param name="importance">What to lose least; null when all columns matter alike.</param>
    /// <param name="cancel">Stops the work.</param>
    /// <exception cref="ModelFileException">The source lacks what is needed, is quantised already, or the importance matrix belongs to another model.</exception>
    /// <exception cref="IOException">The target cannot be written.</exception>
    public static void Run(GgufFile source, string target, QuantisationMix mix, IProgress<QuantiseProgress>? progress = null, bool allowRequantise = false, ImportanceMatrix? importance = null, CancellationToken cancel = default)
    {
        List<Step> plan = Plan(source, mix, allowRequantise, importance);
        string part = target + ".part";
        try
        {
            using (FileStream output = new(part, FileMode.Create, FileAccess.Write, FileShare.None, Buffer))
            {
                Write(source, output, mix, plan, progress, importance, cancel);
                output.Flush(flushToDisk: true);
            }

            File.Move(part, target, overwrite: true);
        }
        catch
        {
            File.Delete(part);
            throw;
        }
    }

    /// <summary>The format each tensor would get.</summary>
    /// <exception cref="ModelFileException">The source lacks what is needed.</exception>
    public static IReadOnlyDictionary<string, BlockFormat> Formats(GgufFile source, QuantisationMix mix, ImportanceMatrix? importance = null) =>
        Plan(source, mix, allowRequantise: true, importance).ToDictionary(step => step.Tensor.Name, step => step.Format, StringComparer.Ordinal);

    private static List<Step> Plan(GgufFile source, QuantisationMix mix, bool allowRequantise, ImportanceMatrix? importance)
    {
        QuantisationMix.Model model = Describe(source) with { HasImportance = importance is not null };
        List<Step> plan = [];
        foreach (string name in source.Names)
        {
            if (!source.TryGet(name, out StoredTensor? tensor))
                continue;
            if (!QuantisationMix.Quantises(name, tensor.Shape))
            {
                plan.Add(new Step(tensor, tensor.Format, false));
                continue;
            }

            BlockFormat wanted = mix.Choose(name, tensor.Shape[^1], model), format = TensorQuantiser.Fit(wanted, tensor.Shape[^1]);
            if (!allowRequantise && format != tensor.Format && tensor.Format is not (BlockFormat.F32 or BlockFormat.F16 or BlockFormat.BF16))
                throw new ModelFileException(source.Location, $"tensor '{name}' is quantised already ({tensor.Format}); quantising again loses more than quantising the F32, F16 or BF16 original");
            plan.Add(new Step(tensor, format, format != wanted));
        }

        return plan;
    }

    private static void Write(GgufFile source, Stream output, QuantisationMix mix, List<Step> plan, IProgress<QuantiseProgress>? progress, ImportanceMatrix? importance, CancellationToken cancel)
    {
        GgufMetadata metadata = source.Metadata;
        GgufWriter writer = new(output, metadata.FindInt32("general.alignment", 1) ?? 32);
        foreach (string key in metadata.Keys)
        {
            if (key is not ("general.alignment" or "general.file_type" or "general.quantization_version") && !key.StartsWith("split.", StringComparison.Ordinal))
                writer.Copy(metadata, key);
        }

        writer.Add("general.file_type", (uint)mix.FileType);
        writer.Add("general.quantization_version", 2u);
        foreach (Step step in plan)
            writer.Announce(step.Tensor.Name, step.Tensor.Shape.Length == 0 ? [1] : step.Tensor.Shape, step.Format);
        for (int i = 0; i < plan.Count; i++)
        {
            (StoredTensor tensor, BlockFormat format, bool fellBack) = plan[i];
            progress?.Report(new QuantiseProgress(i + 1, plan.Count, tensor.Name, tensor.Format, format, fellBack));
            if (format == tensor.Format)
                CopyBytes(tensor, writer, cancel);
            else
                TensorQuantiser.Convert(tensor, format, writer.Write, cancel, importance is not null && importance.TryGet(tensor.Name, tensor.Shape, out float[]? columns) ? columns : null);
        }

        writer.Finish();
    }

    private static unsafe void CopyBytes(StoredTensor tensor, GgufWriter writer, CancellationToken cancel)
    {
        for (long done = 0; done < tensor.ByteLength; done += Buffer)
        {
            cancel.ThrowIfCancellationRequested();
            writer.Write(new ReadOnlySpan<byte>((byte*)tensor.Address + done, (int)Math.Min(Buffer, tensor.ByteLength - done)));
        }

        GC.KeepAlive(tensor.Owner);
    }

    private static QuantisationMix.Model Describe(GgufFile source)
    {
        GgufMetadata metadata = source.Metadata;
        string architecture = source.Architecture;
        int layers = metadata.FindInt32($"{architecture}.block_count", 1, 100_000)
            ?? source.Names.Max(name => QuantisationMix.LayerOf(name)) + 1;
        int heads = First($"{architecture}.attention.head_count") ?? 1, keyHeads = First($"{architecture}.attention.head_count_kv") ?? heads;
        return new QuantisationMix.Model(
            layers,
            metadata.FindInt32($"{architecture}.expert_count", 0) ?? 0,
            keyHeads > 0 ? heads / keyHeads : 1,
            !source.Names.Contains("output.weight", StringComparer.Ordinal),
            [.. source.Names.Where(QuantisationMix.IsValue).OrderBy(QuantisationMix.LayerOf)]);

        int? First(string key) => metadata.IsArray(key) ? metadata.GetInt32s(key) is [int first, ..] ? first : null : metadata.FindInt32(key);
    }

    private readonly record struct Step(StoredTensor Tensor, BlockFormat Format, bool FellBack);
}
