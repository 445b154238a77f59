using BenchmarkDotNet.Attributes;
using Glimmer.Platform.Nodes;

namespace Glimmer.Benchmarks.Admission;

/// <summary>What one limit more costs a request where nodes share it: a unit taken and given back, with the lease looked at.</summary>
[MemoryDiagnoser]
public class SliceBenchmarks
{
    private Slice? _slice;

    /// <summary>Whether the node shares limits, or is alone on PostgreSQL.</summary>
    [Params(false, true)]
    public bool Shared { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var trader = new SliceTrader(new SliceSettings { Lease = TimeSpan.FromHours(1) }, TimeProvider.System);
        trader.Register(1, Shared, TimeProvider.System.GetTimestamp());
        _slice = trader.Of(new SliceTerms("k:bench", SliceKind.Places, 256));
        _slice.Give(100);
    }

    [Benchmark]
    public bool TakeAndGive()
    {
        bool taken = _slice!.TryTake(1);
        _slice.Give(1);
        return taken;
    }
}
