// Compares Glimmer with llama.cpp and ik_llama.cpp on one machine, in interleaved rounds. See bench/README.md.
using Glimmer.Compare;
using Glimmer.Compare.Measures;

if (args is ["read", var threads])
{
    Console.WriteLine(ReadBandwidth.Run(int.Parse(threads, System.Globalization.CultureInfo.InvariantCulture)).ToString("0.00", System.Globalization.CultureInfo.InvariantCulture));
    return 0;
}

try
{
    ComparisonOptions options = ComparisonOptions.Parse(args);
    return await new Comparison(options, PlanStep.ParseAll(await File.ReadAllLinesAsync(options.Plan))).RunAsync();
}
catch (FormatException fault)
{
    await Console.Error.WriteLineAsync($"compare: {fault.Message}");
    await Console.Error.WriteLineAsync(ComparisonOptions.Usage);
    return 64;
}
