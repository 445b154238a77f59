using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Glimmer.Cli.Hosting;
using Glimmer.Engine.Packages;
using Glimmer.Kernels;
using Glimmer.Models;
using Glimmer.Models.Loading;
using Glimmer.Models.Memory;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer bench --check</c>: loads a model, runs a prompt and some greedy tokens, and holds time, memory and numbers against what they should be.</summary>
internal static class LoadCheck
{
    private const int PageTokens = 64;

    private sealed record Findings(
        string Model, string Architecture, double BillionParameters, double LoadSeconds, long PlannedBytes, long ResidentBytes, double ResidentToPlanned, bool Finite, double FirstPassSeconds, double TokensPerSecond, int[] Greedy);

    /// <summary>Runs the check and prints what it found; 0 when all numbers were finite and memory stayed within the plan, else 1.</summary>
    public static int Run(EngineSettings settings, int prompt, int decode, bool json)
    {
        using Process self = Process.GetCurrentProcess();
        long before = self.WorkingSet64, start = Stopwatch.GetTimestamp();
        using ModelPackage package = LocalModel.Load(settings);
        double load = Stopwatch.GetElapsedTime(start).TotalSeconds;
        LanguageModel model = package.Model;
        int context = prompt + decode, pages = (context + PageTokens - 1) / PageTokens;
        if (context > model.Description.ContextLength)
            throw new Server.Hosting.GlimmerStartupException($"{prompt} and {decode} tokens do not fit the context of {model.Description.ContextLength}; use a smaller --prompt or --decode.", 64);
        MemoryPlan plan = ModelLoader.Plan(LocalModel.PathOf(settings.ModelPath), LocalModel.OptionsOf(settings), pages * PageTokens, 1, prompt);
        using ThreadTeam team = new(settings.Engine.Threads > 0 ? settings.Engine.Threads : Environment.ProcessorCount);
        using KvArena arena = new(model.KvLayout, pages, PageTokens, 1, model.KvFormat);
        int[] pageList = [.. Enumerable.Range(0, pages)], greedy = new int[decode];
        Random random = new(1);
        int vocabulary = model.Description.VocabularySize;
        int[] tokens = [.. Enumerable.Range(0, prompt).Select(_ => random.Next(vocabulary))];
        ForwardBatch batch = new();
        bool finite = true;
        double first = 0;
        start = Stopwatch.GetTimestamp();
        for (int i = 0, position = 0; i < decode; i++)
        {
            batch.Clear();
            int chunk = batch.Add(new SequenceChunk(tokens, position, pageList, 0, LogitsWanted.Last));
            model.Forward(batch, arena, team);
            Span<float> logits = batch.Logits(chunk, 0, vocabulary);
            int best = 0;
            for (int t = 0; t < vocabulary; t++)
            {
                finite &= float.IsFinite(logits[t]);
                if (logits[t] > logits[best])
                    best = t;
            }

            if (i == 0)
                first = Stopwatch.GetElapsedTime(start).TotalSeconds;
            greedy[i] = best;
            position += tokens.Length;
            tokens = [best];
        }

        double rest = Stopwatch.GetElapsedTime(start).TotalSeconds - first;
        self.Refresh();
        long resident = self.WorkingSet64 - before;
        Findings found = new(
            package.Code, package.Description.Architecture, Math.Round(package.Description.Parameters / 1e9, 3), Math.Round(load, 3), plan.TotalBytes, resident,
            Math.Round(resident / (double)plan.TotalBytes, 3), finite, Math.Round(first, 2), Math.Round((decode - 1) / Math.Max(rest, 1e-9), 2), greedy);
        Print(found, plan, prompt, json);
        return finite && resident <= plan.TotalBytes * 1.05 ? 0 : 1;
    }

    private static void Print(Findings found, MemoryPlan plan, int prompt, bool json)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(found, JsonSerializerOptions.Web));
            return;
        }

        CultureInfo culture = CultureInfo.InvariantCulture;
        Console.WriteLine(string.Create(culture, $"{found.Model} ({found.Architecture}, {found.BillionParameters:0.###} B parameters)"));
        Console.WriteLine(string.Create(culture, $"  load      {found.LoadSeconds:0.000} s"));
        Console.WriteLine(string.Create(culture, $"  memory    {Bytes.Text(found.ResidentBytes)}, planned {Bytes.Text(plan.TotalBytes)}: {plan} ({100 * found.ResidentToPlanned:0.0} %)"));
        Console.WriteLine(string.Create(culture, $"  first     {found.FirstPassSeconds:0.00} s for {prompt} tokens, code compiled and pages touched for the first time"));
        Console.WriteLine(string.Create(culture, $"  greedy    {string.Join(' ', found.Greedy)} ({found.TokensPerSecond:0.0} tokens/s), {(found.Finite ? "all logits finite" : "NOT all logits finite")}"));
    }
}
