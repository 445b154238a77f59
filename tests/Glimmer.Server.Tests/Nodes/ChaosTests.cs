using Glimmer.Chaos;

namespace Glimmer.Server.Tests.Nodes;

/// <summary>Three node processes on one PostgreSQL, killed and restarted under load. <c>scripts/chaos-nodes.sh</c> does it for minutes.</summary>
public sealed class ChaosTests
{
    [Fact]
    public async Task Nodes_and_database_fail_and_every_request_has_one_outcome_and_one_charge()
    {
        ChaosReport report;
        try
        {
            report = await ChaosRun.RunAsync(new ChaosSettings { Seconds = 20, Seed = 1, Clients = 12 });
        }
        catch (NotSupportedException missing)
        {
            Assert.Skip(missing.Message);
            return;
        }

        TestContext.Current.TestOutputHelper?.WriteLine(report.ToString());
        Assert.True(report.Faults.IsEmpty, report.ToString());
        Assert.True(report.Disturbances.Values.Sum() >= 2, report.ToString());
        foreach (IGrouping<string, ChaosRequest> kind in report.Requests.GroupBy(request => request.Kind, StringComparer.Ordinal))
            Assert.True(kind.Any(request => request.Outcome == ChaosOutcome.Answered), $"{kind.Key} was never answered: {report}");
    }
}
