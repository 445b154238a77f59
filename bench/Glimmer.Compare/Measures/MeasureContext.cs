using Glimmer.Compare.Contenders;
using Glimmer.Compare.Processes;

namespace Glimmer.Compare.Measures;

/// <summary>Where a measure runs and where its readings go.</summary>
/// <param name="Cores">Cores of the contenders.</param>
/// <param name="Models">Folder of the models.</param>
/// <param name="Limit">Longest time of one bench program.</param>
/// <param name="Samples">All readings so far.</param>
/// <param name="Notes">What the reader of the report should know.</param>
internal sealed record MeasureContext(Cores Cores, string Models, TimeSpan Limit, List<Sample> Samples, List<string> Notes)
{
    /// <summary>GB/s that the machine read at the beginning of a round.</summary>
    public Dictionary<(PlanStep Step, int Round), double> Bandwidth { get; } = [];

    public string FileOf(PlanStep step) => Path.Combine(Models, step.Model + ".gguf");

    public void Add(PlanStep step, Contender contender, int round, string metric, string unit, double value)
    {
        Samples.Add(new Sample(metric, unit, step.Model, step.Threads, contender.Name, round, value));
        Console.Error.WriteLine($"    {contender.Name,-14} {metric,-44} {value,10:0.0} {unit}");
    }

    public void Note(string text)
    {
        if (!Notes.Contains(text))
            Notes.Add(text);
    }
}
