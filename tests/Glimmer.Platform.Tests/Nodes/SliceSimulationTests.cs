using System.Globalization;

namespace Glimmer.Platform.Tests.Nodes;

public sealed class SliceSimulationTests
{
    // GLIMMER_FUZZ_CASES=3000 for a long proof.
    private static int Cases => int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), NumberStyles.None, CultureInfo.InvariantCulture, out int cases) ? cases : 24;

    [Fact]
    public void SixtyFourNodesWithSkewLossAndDeathsNeverPassTheBound()
    {
        int first = 1000;
        long admitted = 0, fences = 0, orphans = 0;
        for (int seed = first; seed < first + Cases; seed++)
        {
            var world = new SliceSimulation(new SimulationPlan(), seed);
            world.Run();
            Assert.True(world.Faults.Count == 0, $"Seed {seed}: {string.Join(' ', world.Faults)}");
            admitted += world.Admitted;
            fences += world.Fences;
            orphans = Math.Max(orphans, world.MostOrphans);
        }

        TestContext.Current.SendDiagnosticMessage($"{Cases} runs: {admitted} admitted, {fences} fenced, {orphans} orphans at most.");
        Assert.True(admitted > Cases * 1000L);
    }

    [Fact]
    public void WhereNothingFailsLittleIsLostToFragments()
    {
        var world = new SliceSimulation(new SimulationPlan { Deaths = 0, Cuts = 0, Failovers = 0, Loss = 0 }, 7);
        world.Run();
        Assert.Empty(world.Faults);
        string seen = string.Join(' ', new[] { "k:a", "k:b", "k:c", "k:d" }.Select(id => $"{id}={world.Utilisation(id):0.00}"));
        TestContext.Current.SendDiagnosticMessage($"{seen} period={world.PeriodUsed} messages={world.Messages} asks={world.Asks} admitted={world.Admitted} refused={world.Refused}");
        Assert.True(world.Utilisation("k:a") > 0.7 && world.Utilisation("k:d") > 0.8, seen);
        Assert.True(world.PeriodUsed > SliceSimulation.PeriodLimit * 0.9, seen);
    }
}
