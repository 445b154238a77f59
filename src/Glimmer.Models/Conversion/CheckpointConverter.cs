using System.Runtime.InteropServices;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Loading;
using Glimmer.Models.Weights;

namespace Glimmer.Models.Conversion;

/// <summary>
/// Writes a checkpoint folder (<c>config.json</c> with safetensors of any readable kind) as one GGUF file with the names, the arrangement and the keys
/// that llama.cpp's converter gives it.
/// </summary>
public static class CheckpointConverter
{
    private const long PieceNumbers = 4 << 20;

    /// <summary>Converts a folder. The target appears under its name only when it is complete and on disk.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="target">The file to write; an existing one is replaced.</param>
    /// <param name="mix">The recipe; <see cref="QuantisationMix.Floats"/> keep the weights as numbers.</param>
    /// <param name="tokenizer">Adds the keys of the tokenizer, for a vocabulary of so many rows and these end tokens; null leaves them out, which other programs do not take.</param>
    /// <param name="progress">Told of each tensor before it is written.</param>
    /// <param name="importance">What to lose least; null when all columns matter alike.</param>
    /// <param name="cancel">Stops the work.</param>
    /// <exception cref="ModelFileException">The checkpoint cannot be read, or has no GGUF form.</exception>
    /// <exception cref="IOException">The target cannot be written.</exception>
    public static void Run(string folder, string target, QuantisationMix mix, Action<GgufWriter, int, IReadOnlyList<int>>? tokenizer = null, IProgress<QuantiseProgress>? progress = null, ImportanceMatrix? importance = null, CancellationToken cancel = default)
    {
        ModelFiles files = ModelFiles.Open(folder);
        using IWeightSource source = files.Logical;
        if (files.Stored is GgufFile)
            throw new ModelFileException(folder, "is a GGUF file already.");
        List<(ConvertedTensor Tensor, BlockFormat Format, bool FellBack)> plan = Plan(files, mix, importance);
        string part = target + ".part";
        try
        {
            using (FileStream output = new(part, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
            {
                GgufWriter writer = new(output);
                GenerationDefaults generation = files.Generation();
                GgufKeys.Write(writer, files.Config, generation, files.DisplayName, NextN(files), mix.FileType);
                tokenizer?.Invoke(writer, files.Config.VocabularySize, generation.EosTokens);
                foreach ((ConvertedTensor tensor, BlockFormat format, _) in plan)
                    writer.Announce(tensor.Name, tensor.Shape, format);
                for (int i = 0; i < plan.Count; i++)
                {
                    (ConvertedTensor tensor, BlockFormat format, bool fellBack) = plan[i];
                    IReadOnlyList<WeightMatrix> parts = tensor.Parts();
                    progress?.Report(new QuantiseProgress(i + 1, plan.Count, tensor.Name, parts[0].Format, format, fellBack));
                    float[]? columns = importance is not null && format != BlockFormat.F32 && importance.TryGet(tensor.Name, tensor.Shape, out float[]? found) ? found : null;
                    long first = 0;
                    foreach (WeightMatrix matrix in parts)
                    {
                        Write(writer, matrix, format, (columns, first, tensor.Rows), cancel);
                        first += matrix.Rows;
                    }
                }

                writer.Finish();
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

    /// <summary>The format each tensor of the file would get.</summary>
    /// <exception cref="ModelFileException">The checkpoint cannot be read, or has no GGUF form.</exception>
    public static IReadOnlyDictionary<string, BlockFormat> Formats(string folder, QuantisationMix mix, ImportanceMatrix? importance = null)
    {
        ModelFiles files = ModelFiles.Open(folder);
        using IWeightSource source = files.Logical;
        return Plan(files, mix, importance).ToDictionary(step => step.Tensor.Name, step => step.Format, StringComparer.Ordinal);
    }

    private static int NextN(ModelFiles files)
    {
        int layers = GgufKeys.NextNLayers(files.Config);
        return layers > 0 && files.Names.Find($"layers.{files.Config.Layers}.eh_proj.weight") is { } name && files.Logical.Contains(name) ? layers : 0;
    }

    private static List<(ConvertedTensor Tensor, BlockFormat Format, bool FellBack)> Plan(ModelFiles files, QuantisationMix mix, ImportanceMatrix? importance)
    {
        int layers = files.Config.Layers + NextN(files);
        List<ConvertedTensor> tensors = CheckpointTensorTable.Of(files, GgufKeys.ArchitectureOf(files.Config), layers);
        QuantisationMix.Model model = new(
            layers,
            files.Config.Moe?.Experts ?? 0,
            files.Config.Latent is null ? files.Config.Attention.Heads / files.Config.Attention.KvHeads : files.Config.Attention.Heads,
            tensors.TrueForAll(tensor => tensor.Name != "output.weight"),
            [.. tensors.Select(tensor => tensor.Name).Where(QuantisationMix.IsValue).OrderBy(QuantisationMix.LayerOf)])
        { HasImportance = importance is not null };
        return tensors.ConvertAll(tensor =>
        {
            if (tensor.KeepsPrecision)
                return (tensor, BlockFormat.F32, false);
            BlockFormat wanted = mix.Choose(tensor.Name, tensor.Columns, model), format = TensorQuantiser.Fit(wanted, tensor.Columns);
            return (tensor, format, format != wanted);
        });
    }

    private static void Write(GgufWriter writer, WeightMatrix matrix, BlockFormat format, (float[]? Columns, long First, long Rows) importance, CancellationToken cancel)
    {
        BlockCodec codec = BlockCodecs.For(format);
        int rowBytes = checked((int)codec.BytesFor(matrix.Columns)), piece = (int)Math.Clamp(PieceNumbers / matrix.Columns, 1, matrix.Rows);
        byte[] packed = new byte[checked(piece * rowBytes)];
        for (int first = 0; first < matrix.Rows; first += piece)
        {
            cancel.ThrowIfCancellationRequested();
            int start = first, count = Math.Min(piece, matrix.Rows - first);
            Parallel.For(0, count, () => new float[matrix.Columns], (row, _, values) =>
            {
                matrix.ReadRow(start + row, values);
                Span<byte> target = packed.AsSpan(row * rowBytes, rowBytes);
                if (format == BlockFormat.F32)
                    MemoryMarshal.AsBytes<float>(values).CopyTo(target);
                else
                    TensorQuantiser.QuantiseRow(codec, values, TensorQuantiser.Importance(importance.Columns, matrix.Columns, importance.Rows, importance.First + start + row), target);
                return values;
            }, _ => { });
            writer.Write(packed.AsSpan(0, count * rowBytes));
        }
    }
}
