using System.CommandLine;
using System.Text;
using Glimmer.Cli.Evaluation;
using Glimmer.Cli.Hosting;
using Glimmer.Engine.Packages;
using Glimmer.Kernels;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer eval TEXT</c>: perplexity of a model on a text, and what another form of it loses.</summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        Argument<FileInfo> text = new("TEXT") { Description = "Text file in UTF-8." };
        Option<string?> model = ModelOption.Create();
        Option<string?> against = new("--against") { Description = "Another form of the same model, e.g. the one before it was quantised: adds agreement and divergence." };
        Option<int> window = new("--window") { Description = "Tokens per window; the second half of each is scored.", DefaultValueFactory = _ => 512 };
        Option<int> limit = new("--tokens") { Description = "Most tokens of the text to use.", DefaultValueFactory = _ => 20_000 };
        Option<int> threads = ModelOption.Threads();
        Option<bool> json = new("--json") { Description = "Print JSON." };
        window.Validators.Add(result =>
        {
            if (result.Checked<int>() is < 4 or > 65536)
                result.AddError("--window must be 4 to 65536.");
        });
        limit.Validators.Add(result =>
        {
            if (result.Checked<int>() < 4)
                result.AddError("--tokens must be 4 or more.");
        });
        Command command = new("eval", "Measure how well a model predicts a text, and what quantisation costs.") { text, model, against, window, limit, threads, json };
        command.SetAction((result, cancel) =>
        {
            try
            {
                return Task.FromResult(Run(
                    result.GetValue(text)!, result.GetValue(model), result.GetValue(against), result.GetValue(window), result.GetValue(limit), result.GetValue(threads), result.GetValue(json), cancel));
            }
            catch (GlimmerStartupException fault)
            {
                Console.Error.WriteLine($"eval: {fault.Message}");
                return Task.FromResult(fault.ExitCode);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentException)
            {
                Console.Error.WriteLine($"eval: {fault.Message}");
                return Task.FromResult(65);
            }
        });
        return command;
    }

    private static int Run(FileInfo text, string? model, string? against, int window, int limit, int threads, bool json, CancellationToken cancel)
    {
        EngineSettings settings = EngineSettings.Read(Settings.Read(("Model:Path", model)));
        using ModelPackage first = LocalModel.Load(settings);
        using ModelPackage? second = against is null ? null : LocalModel.Load(settings with { ModelPath = against });
        int most = second is null ? first.Description.ContextLength : Math.Min(first.Description.ContextLength, second.Description.ContextLength);
        if (window > most)
            throw new ArgumentException($"--window {window} is longer than the context of {most}.");
        List<int> tokens = first.Tokenizer.Encode(File.ReadAllText(text.FullName, Encoding.UTF8), recogniseAdded: false);
        if (tokens.Count > limit)
            tokens.RemoveRange(limit, tokens.Count - limit);
        using ThreadTeam team = new(threads > 0 ? threads : Environment.ProcessorCount);
        PerplexityResult result = new Perplexity(window, team).Run(
            first.Model, second?.Model, tokens, Console.IsErrorRedirected ? null : share => Console.Error.Write($"\r{share:P0} "), cancel);
        if (!Console.IsErrorRedirected)
            Console.Error.Write("\r      \r");
        if (json)
        {
            Console.WriteLine(JsonOutput.Line(
                ("model", first.Code), ("tokens", result.Tokens), ("perplexity", result.Perplexity), ("nats_per_token", result.NegativeLogLikelihood / result.Tokens), ("standard_error", result.StandardError),
                ("agreement", second is null ? null : (double)result.Agreements / result.Tokens), ("divergence", second is null ? null : result.Divergence)));
            return 0;
        }

        Console.WriteLine($"{result.Tokens} tokens scored: perplexity {result.Perplexity:0.0000}, {result.NegativeLogLikelihood / result.Tokens:0.00000} ± {result.StandardError:0.00000} nats per token");
        if (second is not null)
            Console.WriteLine($"against {against}: the same likeliest token at {100.0 * result.Agreements / result.Tokens:0.00} % of positions, mean KL divergence {result.Divergence:0.000000} nats");
        return 0;
    }
}
