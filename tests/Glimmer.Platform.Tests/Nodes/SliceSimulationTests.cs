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
    public void NodesThatJoinOneThatOwnsEverythingNeverPassTheBound()
    {
        for (int seed = 0; seed < Math.Max(4, Cases / 6); seed++)
        {
            var plan = new SimulationPlan { Seconds = 20, Deaths = 0, Cuts = 0, Failovers = 0, Demand = 120 };
            var world = new SliceSimulation(plan with { Settings = plan.Settings with { AlwaysShared = false } }, seed);
            world.Run();
            Assert.True(world.Faults.Count == 0, $"Seed {seed}: {string.Join(' ', world.Faults)}");
            Assert.True(world.Admitted > 1000);
        }
    }

    [Fact]
    public void AnAccountsLastMoneyCanBeSpentFromAnyNode()
    {
        long admitted = 0, spent = 0;
        int answers = 0;
        double beats = 0;
        for (int seed = 0; seed < Math.Max(4, Cases / 8); seed++)
        {
            var world = new SliceSimulation(new SimulationPlan { Deaths = 0, Cuts = 0, Failovers = 0, Loss = 0 }, seed);
            world.Run();
            Assert.True(world.Faults.Count == 0, $"Seed {seed}: {string.Join(' ', world.Faults)}");
            admitted += world.Last.Admitted;
            spent += world.Last.Spent;
            answers = Math.Max(answers, world.Last.MostAnswers);
            beats = Math.Max(beats, world.Last.MostBeats);
        }

        TestContext.Current.SendDiagnosticMessage($"{admitted} admitted on the last money, {spent} told that there is too little, {answers} answers and {beats:0.0} beats at most.");
        Assert.True(admitted > 1000 && spent > 10);
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

public sealed class SliceScaleTests
{
    // GLIMMER_NODES_TABLE=1 prints the table of docs/designs/many-nodes.md.
    [Fact]
    public void ManyNodesAndKeysCostTheStoreABoundedTraffic()
    {
        bool table = Environment.GetEnvironmentVariable("GLIMMER_NODES_TABLE") == "1";
        ScalePlan[] plans = table
            ? [.. from nodes in new[] { 2, 16, 64, 256, 1000 } from sticky in new[] { true, false } select new ScalePlan(nodes, 1_000_000, nodes * 10.0, sticky)]
            : [new ScalePlan(16, 10_000, 100, true), new ScalePlan(16, 10_000, 100, false)];
        var lines = new List<string>();
        foreach (ScalePlan plan in plans)
        {
            var scale = new SliceScale(plan);
            scale.Run(table ? 15 : 10);
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"| {plan.Nodes} | {(plan.Sticky ? "its own" : "any")} | {plan.Rate:0} | {scale.ExchangesPerSecond:0} | {scale.RowsPerSecond:0} | {scale.RowsPerSecond / plan.Rate:0.0} | {100.0 * scale.Waited / scale.Requests:0.0} % |"));
            if (table)
                Console.Error.WriteLine(lines[^1]);
            Assert.Equal(0, scale.Refused);
            Assert.True(scale.RowsPerSecond < plan.Rate * 20);
        }

        TestContext.Current.SendDiagnosticMessage(string.Join('\n', lines));
    }
}
