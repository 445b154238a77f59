using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Glimmer.Benchmarks;
using Glimmer.Benchmarks.Ledger;

switch (args)
{
    case ["ledger", .. string[] rest]:
        await LedgerThroughput.RunAsync(rest);
        return;
    case ["usage-pages", .. string[] rest]:
        await UsagePages.RunAsync(rest);
        return;
}

// In process: the kernels' choice of instruction set is made once per process and each benchmark names its own anyway.
IConfig config = DefaultConfig.Instance
    .AddJob(Job.ShortRun.WithToolchain(InProcessNoEmitToolchain.Instance))
    .AddColumn(new WorkColumn("GB/s", work => work.Bytes), new WorkColumn("GOP/s", work => work.Operations))
    .WithOptions(ConfigOptions.JoinSummary);
BenchmarkSwitcher.FromAssembly(typeof(WorkColumn).Assembly).Run(args, config);
