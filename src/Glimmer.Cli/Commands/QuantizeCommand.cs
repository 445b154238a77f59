using System.CommandLine;
using Glimmer.Cli.Conversion;
using Glimmer.Cli.Hosting;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Models;
using Glimmer.Models.Conversion;
using Glimmer.Models.Weights;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer quantize SOURCE TARGET MIX</c>: writes a GGUF model with fewer bits per weight, from a GGUF file or a checkpoint folder.</summary>
internal static class QuantizeCommand
{
    private static readonly string[] _readOnly = ["IQ1", "IQ2", "IQ3"];

    public static Command Create()
    {
        string mixes = string.Join(", ", QuantisationMix.All.Concat(QuantisationMix.Floats).Select(mix => mix.Name));
        Argument<string> source = new("SOURCE") { Description = "GGUF file, best with F32, F16 or BF16 weights, or a folder of config.json, safetensors (of any readable kind) and a tokenizer." };
        Argument<string> target = new("TARGET") { Description = "GGUF file to write." };
        Argument<string> mix = new("MIX") { Description = mixes };
        Option<bool> again = new("--allow-requantize") { Description = "Quantise weights that are quantised already, which loses more." };
        Option<bool> force = new("--force", "-f") { Description = "Replace the target when it exists." };
        Option<bool> dry = new("--dry-run") { Description = "List what each tensor would become, and stop." };
        Option<string?> importance = new("--imatrix") { Description = "Importance matrix of llama.cpp (.dat or .gguf): what matters loses less." };
        Command command = new("quantize", "Write a GGUF model with fewer bits per weight.") { source, target, mix, again, force, dry, importance };
        command.SetAction((result, cancel) =>
        {
            string name = result.GetValue(mix)!;
            if (!QuantisationMix.TryFind(name, out QuantisationMix? recipe))
                return Task.FromResult(Fail(Array.Exists(_readOnly, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) ? $"{name} can be read, but not written; use one of {mixes}." : $"'{name}' is not a recipe; use one of {mixes}.", 64));
            return Task.FromResult(Run(result.GetValue(source)!, result.GetValue(target)!, recipe, result.GetValue(again), result.GetValue(force), result.GetValue(dry), result.GetValue(importance), cancel));
        });
        return command;
    }

    private static int Run(string source, string target, QuantisationMix mix, bool again, bool force, bool dry, string? importanceFile, CancellationToken cancel)
    {
        try
        {
            ImportanceMatrix? importance = importanceFile is null ? null : ImportanceMatrix.Open(importanceFile);
            source = LocalModel.PathOf(source);
            if (!dry && File.Exists(target) && !force)
                return Fail($"{target} exists; use --force to replace it.", 73);
            if (string.Equals(Path.GetFullPath(source), Path.GetFullPath(target), StringComparison.Ordinal))
                return Fail("source and target are the same file.", 64);
            if (File.Exists(Path.Combine(source, "config.json")))
                return Convert(source, target, mix, dry, importance, cancel);
            using GgufFile file = GgufFile.Open(source);
            if (dry)
            {
                foreach ((string name, Kernels.Formats.BlockFormat format) in GgufQuantiser.Formats(file, mix, importance).OrderBy(pair => pair.Key, StringComparer.Ordinal))
                    Console.WriteLine($"{format,-8} {name}");
                return 0;
            }

            GgufQuantiser.Run(file, target, mix, new Report(), again, importance, cancel);
            long before = new FileInfo(source).Length, after = new FileInfo(target).Length;
            Console.WriteLine($"{target}: {Bytes.Text(after)}, {100.0 * after / before:0} % of {Bytes.Text(before)}");
            return 0;
        }
        catch (GlimmerStartupException fault)
        {
            return Fail(fault.Message, fault.ExitCode);
        }
        catch (OperationCanceledException)
        {
            return Fail("stopped; nothing was written.", 130);
        }
        catch (Exception fault) when (fault is ModelFileException or TokenizerFileException or IOException or UnauthorizedAccessException)
        {
            return Fail(fault.Message, 65);
        }
    }

    private static int Convert(string folder, string target, QuantisationMix mix, bool dry, ImportanceMatrix? importance, CancellationToken cancel)
    {
        if (dry)
        {
            foreach ((string name, Kernels.Formats.BlockFormat format) in CheckpointConverter.Formats(folder, mix, importance).OrderBy(pair => pair.Key, StringComparer.Ordinal))
                Console.WriteLine($"{format,-8} {name}");
            return 0;
        }

        CheckpointConverter.Run(folder, target, mix, TokenizerKeys.Read(folder), new Report(), importance, cancel);
        Console.WriteLine($"{target}: {Bytes.Text(new FileInfo(target).Length)}");
        return 0;
    }

    private static int Fail(string message, int code)
    {
        Console.Error.WriteLine($"quantize: {message}");
        return code;
    }

    // Synchronous, so that the lines stand in order.
    private sealed class Report : IProgress<QuantiseProgress>
    {
        void IProgress<QuantiseProgress>.Report(QuantiseProgress step) =>
            Console.WriteLine($"[{step.Number,4}/{step.Total}] {step.Name,-48} {step.From,-6} -> {step.To}{(step.FellBack ? " (its width does not fill the recipe's blocks)" : "")}");
    }
}
