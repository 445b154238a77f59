using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Parameters;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Glimmer.Benchmarks.Dialogue;

namespace Glimmer.Benchmarks;

/// <summary>What one call of a benchmark does.</summary>
/// <param name="Bytes">Bytes of weights or cache that it reads, 0 when that says nothing.</param>
/// <param name="Operations">Multiplications and additions, 0 when that says nothing.</param>
public readonly record struct Work(double Bytes, double Operations);

/// <summary>A benchmark class that knows its work.</summary>
public interface IWorkload
{
    /// <summary>The work of one call with the given parameters.</summary>
    static abstract Work Describe(ParameterInstances parameters);
}

/// <summary>Turns mean times into rates.</summary>
/// <param name="name">Head of the column.</param>
/// <param name="amount">What is counted.</param>
public sealed class WorkColumn(string name, Func<Work, double> amount) : IColumn
{
    /// <inheritdoc/>
    public string Id => name;

    /// <inheritdoc/>
    public string ColumnName => name;

    /// <inheritdoc/>
    public bool AlwaysShow => true;

    /// <inheritdoc/>
    public ColumnCategory Category => ColumnCategory.Custom;

    /// <inheritdoc/>
    public int PriorityInCategory => 0;

    /// <inheritdoc/>
    public bool IsNumeric => true;

    /// <inheritdoc/>
    public UnitType UnitType => UnitType.Dimensionless;

    /// <inheritdoc/>
    public string Legend => $"{name}: 10^9 per second at the mean time";

    /// <inheritdoc/>
    public bool IsAvailable(Summary summary) => true;

    /// <inheritdoc/>
    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    /// <inheritdoc/>
    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    /// <inheritdoc/>
    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        double? nanoseconds = summary[benchmarkCase]?.ResultStatistics?.Mean;
        Work work = benchmarkCase.Descriptor.Type == typeof(AttentionBenchmarks) ? AttentionBenchmarks.Describe(benchmarkCase.Parameters)
            : benchmarkCase.Descriptor.Type == typeof(MatMulBenchmarks) ? MatMulBenchmarks.Describe(benchmarkCase.Parameters)
            : benchmarkCase.Descriptor.Type == typeof(RowBenchmarks) ? RowBenchmarks.Describe(benchmarkCase.Parameters)
            : benchmarkCase.Descriptor.Type == typeof(PromptBenchmarks) ? PromptBenchmarks.Describe(benchmarkCase.Parameters)
            : default;
        double total = amount(work);
        return nanoseconds is null || total == 0 ? "-" : (total / nanoseconds.Value).ToString("G3", CultureInfo.InvariantCulture);
    }
}
