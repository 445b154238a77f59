using System.Globalization;
using Glimmer.Chaos;

// chaos node DATA CONNECTION PORT      one node, until it is killed
// chaos run [SECONDS] [SEED] [FORMER]  three nodes on one PostgreSQL under load and disturbance, then the books; FORMER is the file of a
//                                      former version of this program, which the first node then runs
switch (args)
{
    case ["node", var data, var connection, var port]:
        await ChaosNode.RunAsync(data, connection, int.Parse(port, CultureInfo.InvariantCulture));
        return 0;
    case ["run", .. var rest]:
        int seconds = rest.Length > 0 ? int.Parse(rest[0], CultureInfo.InvariantCulture) : 120;
        int seed = rest.Length > 1 ? int.Parse(rest[1], CultureInfo.InvariantCulture) : 1;
        ChaosReport report = await ChaosRun.RunAsync(new ChaosSettings { Seconds = seconds, Seed = seed, Former = rest.Length > 2 ? Path.GetFullPath(rest[2]) : null, Log = Console.Out });
        await Console.Out.WriteAsync(report.ToString());
        return report.Faults.IsEmpty ? 0 : 1;
    default:
        await Console.Error.WriteLineAsync("Use: chaos node DATA CONNECTION PORT, or chaos run [SECONDS] [SEED] [FORMER].");
        return 64;
}
