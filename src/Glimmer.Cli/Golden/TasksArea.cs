using System.Globalization;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Engine;
using Glimmer.Engine.Packages;

namespace Glimmer.Cli.Golden;

/// <summary>
/// Whole answers of the bundled model: <c>tasks.jsonl</c> with requests, rendered prompts, greedy tokens and the answers held right. The
/// model is the file named by the environment variable <c>GLIMMER_GOLDEN_MODEL</c>, else the repository's own.
/// </summary>
public sealed class TasksArea : IGoldenArea
{
    /// <summary>Names the model's file.</summary>
    public const string ModelVariable = "GLIMMER_GOLDEN_MODEL";

    // A smaller gap between the two best logits may turn either way by rounding alone.
    private const double CertainGap = 0.001;
    private const int LongestAnswer = 160;
    private const double RightWithin = 0.02;

    /// <inheritdoc/>
    public string Name => "tasks";

    /// <inheritdoc/>
    public bool Recognises(string folder) => File.Exists(Path.Combine(folder, "tasks.jsonl"));

    /// <inheritdoc/>
    public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel)
    {
        List<TaskRow> rows = [];
        string? fault = null;
        try
        {
            foreach (JsonElement row in JsonLines.Read(Path.Combine(folder, "tasks.jsonl")))
                rows.Add(TaskRow.Read(row));
            RunAll(rows, cancel);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            fault = exception.Message;
        }

        return fault is null && rows.Count > 0 ? Checks(rows) : [new GoldenCheck("tasks", double.NaN, 0, fault ?? "the file holds no row")];
    }

    private static IEnumerable<GoldenCheck> Checks(List<TaskRow> rows)
    {
        for (int i = 0; i < rows.Count; i++)
        {
            TaskRow row = rows[i];
            string name = string.Create(CultureInfo.InvariantCulture, $"{i + 1}.{row.Kind}");
            if (row.Problem is not null)
            {
                yield return new GoldenCheck($"{name}.prompt", double.NaN, 0, row.Problem);
                continue;
            }

            yield return GoldenCompare.Exact($"{name}.prompt", row.PromptIds, row.Prompt);
            yield return Greedy(name, row);
        }

        int expected = rows.Count(row => row.Right), actual = rows.Count(row => row.AnswersRight());
        yield return new GoldenCheck(
            "right",
            Math.Abs(expected - actual) / (double)rows.Count,
            RightWithin,
            string.Create(CultureInfo.InvariantCulture, $"{actual} of {rows.Count} right, the reference has {expected}"));
    }

    /// <summary>The tokens must be the reference's up to the first step at which rounding may decide.</summary>
    private static GoldenCheck Greedy(string name, TaskRow row)
    {
        int length = Math.Min(row.GreedyIds.Length, row.Answer.Count);
        for (int step = 0; step < length; step++)
        {
            if (row.Answer[step] == row.GreedyIds[step])
                continue;
            string where = string.Create(CultureInfo.InvariantCulture, $"step {step}: {row.Answer[step]} instead of {row.GreedyIds[step]}, gap {row.Gaps[step]}");
            return new GoldenCheck($"{name}.greedy", row.Gaps[step] > CertainGap ? 1 : 0, 0, where);
        }

        return new GoldenCheck($"{name}.greedy", Math.Abs(row.GreedyIds.Length - row.Answer.Count), 0, "the lengths differ");
    }

    private static void RunAll(List<TaskRow> rows, CancellationToken cancel)
    {
        string path = Environment.GetEnvironmentVariable(ModelVariable) ?? BundledModel();
        using ModelPackage package = ModelPackage.Load(path);
        using InferenceEngine engine = new(package.Model, new EngineOptions { KvBytes = 256L << 20 }, package.Tokenizer);
        List<Task> answers = [];
        foreach (TaskRow row in rows)
        {
            RenderResult rendered = package.Generation.Render(row.Conversation, package.Tokenizer);
            if (rendered.Prompt is not { } prompt)
            {
                row.Problem = rendered.Fault!.ToString();
                continue;
            }

            row.Prompt = prompt.Tokens;
            row.Automaton = new OutputAutomaton(package.Generation, package.Tokenizer, new OutputOptions { Start = prompt.Start, Tools = row.Conversation.Tools });
            GenerationRequest request = new()
            {
                Prompt = prompt.Tokens,
                MaxTokens = LongestAnswer,
                StopTokens = package.StopTokens,
                Sampling = new SamplingOptions { Greedy = true },
                Sink = row,
            };
            SubmissionOutcome outcome = engine.Submit(request, cancel, out _);
            if (outcome == SubmissionOutcome.Accepted)
                answers.Add(row.Ended);
            else
                row.Problem = outcome.ToString();
        }

        Task.WhenAll(answers).GetAwaiter().GetResult();
        cancel.ThrowIfCancellationRequested();
    }

    private static string BundledModel()
    {
        string file = Path.Combine("models", "glimmer-tiny", "glimmer-tiny-q8_0.gguf");
        foreach (string start in (string[])[Environment.CurrentDirectory, AppContext.BaseDirectory])
        {
            for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
            {
                string path = Path.Combine(folder.FullName, file);
                if (File.Exists(path))
                    return path;
            }
        }

        throw new FileNotFoundException($"{file} is in no folder above; name the model by {ModelVariable}.");
    }
}
