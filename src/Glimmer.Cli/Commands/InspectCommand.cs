using System.CommandLine;
using System.Globalization;
using Glimmer.Cli.Hosting;
using Glimmer.Kernels.Formats;
using Glimmer.Models;
using Glimmer.Models.Loading;
using Glimmer.Models.Weights;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer inspect FILE</c>: what a model file holds, what it needs, and whether it would run.</summary>
internal static class InspectCommand
{
    public static Command Create()
    {
        Argument<string> file = new("FILE") { Description = "GGUF file, checkpoint folder, or the name of a pulled model." };
        Option<int> context = new("--context", "-c") { Description = "Context to plan memory for, in tokens.", DefaultValueFactory = _ => 4096 };
        Option<int> sequences = new("--sequences") { Description = "Conversations at once to plan memory for.", DefaultValueFactory = _ => 1 };
        Option<bool> tensors = new("--tensors") { Description = "List every tensor." };
        Option<bool> metadata = new("--metadata") { Description = "List the metadata of a GGUF file." };
        foreach (Option<int> option in (Option<int>[])[context, sequences])
        {
            option.Validators.Add(result =>
            {
                if (result.Checked<int>() < 1)
                    result.AddError($"{option.Name} must be 1 or more.");
            });
        }

        Command command = new("inspect", "Say what a model file holds, what it needs, and whether it would run.") { file, context, sequences, tensors, metadata };
        command.SetAction(result =>
        {
            try
            {
                return Inspect(LocalModel.PathOf(result.GetValue(file)), result.GetValue(context), result.GetValue(sequences), result.GetValue(tensors), result.GetValue(metadata));
            }
            catch (GlimmerStartupException fault)
            {
                Console.Error.WriteLine($"inspect: {fault.Message}");
                return fault.ExitCode;
            }
            catch (ModelFileException fault)
            {
                Console.Error.WriteLine($"inspect: {fault.Message}");
                return 65;
            }
        });
        return command;
    }

    private static int Inspect(string path, int context, int sequences, bool tensors, bool metadata)
    {
        using (IWeightSource source = CheckpointOpener.Open(path))
        {
            Console.WriteLine(source.Location);
            if (source is GgufFile gguf)
            {
                Console.WriteLine($"  GGUF version {gguf.Version}, architecture {gguf.Metadata.FindString("general.architecture") ?? "not said"}, name {gguf.Metadata.FindString("general.name") ?? "not said"}");
                if (metadata)
                    ShowMetadata(gguf.Metadata);
            }

            ShowFormats(source, tensors);
        }

        return ShowModel(path, context, sequences);
    }

    private static void ShowFormats(IWeightSource source, bool list)
    {
        Dictionary<BlockFormat, (int Tensors, long Numbers, long Bytes)> formats = [];
        foreach (string name in source.Names.Order(StringComparer.Ordinal))
        {
            if (!source.TryGet(name, out StoredTensor? tensor))
                continue;
            (int count, long numbers, long bytes) = formats.GetValueOrDefault(tensor.Format);
            formats[tensor.Format] = (count + 1, numbers + tensor.Count, bytes + tensor.ByteLength);
            if (list)
                Console.WriteLine($"    {tensor.Format,-8} {string.Join(" x ", tensor.Shape),20}  {name}");
        }

        long all = formats.Values.Sum(format => format.Bytes);
        Console.WriteLine($"  {formats.Values.Sum(format => format.Tensors)} tensors, {formats.Values.Sum(format => format.Numbers) / 1e6:0.#} M numbers, {Bytes.Text(all)}");
        foreach ((BlockFormat format, (int count, long numbers, long bytes)) in formats.OrderByDescending(pair => pair.Value.Bytes))
            Console.WriteLine($"    {format,-8} {count,5} tensors {Bytes.Text(bytes),10}  {(numbers == 0 ? 0 : bytes * 8.0 / numbers).ToString("0.00", CultureInfo.InvariantCulture)} bits per number{(BlockCodecs.TryGet(format, out _) ? "" : "   (cannot be read)")}");
    }

    private static void ShowMetadata(GgufMetadata metadata)
    {
        foreach (string key in metadata.Keys.Order(StringComparer.Ordinal))
        {
            string value = metadata.IsArray(key) ? $"{metadata.CountOf(key)} values" : metadata.TypeOf(key) switch
            {
                GgufValueType.String => metadata.GetString(key) is var text && text.Length > 200 ? $"{text[..200]}… ({text.Length} characters)" : metadata.GetString(key),
                GgufValueType.Float32 or GgufValueType.Float64 => metadata.GetSingle(key).ToString(CultureInfo.InvariantCulture),
                GgufValueType.Bool => metadata.GetBoolean(key) ? "true" : "false",
                _ => metadata.GetInt64(key).ToString(CultureInfo.InvariantCulture),
            };
            Console.WriteLine($"    {key} = {value.ReplaceLineEndings("⏎")}");
        }
    }

    private static int ShowModel(string path, int context, int sequences)
    {
        try
        {
            using LoadedModel model = ModelLoader.Load(path);
            ModelDescription shape = model.Description;
            Console.WriteLine($"  {shape.Architecture}: {shape.Parameters / 1e6:0.#} M parameters, {shape.Layers} layers of width {shape.HiddenSize}, vocabulary {shape.VocabularySize}, context {shape.ContextLength}");
            foreach (string warning in model.Warnings)
                Console.WriteLine($"  note: {warning}");
        }
        catch (ModelFileException fault)
        {
            Console.WriteLine($"  would not run: {fault.Fault}");
            return 1;
        }

        MemoryPlan plan = ModelLoader.Plan(path, null, context, sequences, 512);
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        Console.WriteLine($"  needs {Bytes.Text(plan.TotalBytes)}: {plan}");
        Console.WriteLine($"  cache {Bytes.Text(plan.CacheBytesPerToken)} per token{(plan.StateBytesPerSequence > 0 ? $", state {Bytes.Text(plan.StateBytesPerSequence)} per conversation" : "")}; this machine has {Bytes.Text(available)}: {(plan.TotalBytes <= available ? $"it fits, up to a context of {plan.LargestContext(available)}" : $"it does not fit; the largest context that does is {plan.LargestContext(available)}")}");
        return 0;
    }
}
