using System.CommandLine;
using Glimmer.Cli.Hub;
using Spectre.Console;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer pull owner/name[:QUANTISATION]</c>: downloads a model.</summary>
internal static class PullCommand
{
    public static Command Create()
    {
        Argument<string> model = new("MODEL") { Description = "owner/name[:QUANTISATION][@revision], e.g. zai-org/GLM-4.7-Flash:Q4_K_M." };
        Option<string?> hub = new("--hub") { Description = "hf (default), modelscope, or the address of a mirror." };
        Option<bool> dry = new("--dry-run") { Description = "Say what would be taken, and stop." };
        Option<bool> yes = new("--yes", "-y") { Description = "Do not ask before taking it." };
        Option<int> connections = new("--connections") { Description = "Connections at once, 1 to 32.", DefaultValueFactory = _ => 8 };
        connections.Validators.Add(result =>
        {
            if (result.Checked<int>() is < 1 or > 32)
                result.AddError("--connections must be 1 to 32.");
        });
        Command command = new("pull", "Download a model from a hub. Interrupted downloads go on where they stopped.") { model, hub, dry, yes, connections };
        command.SetAction((result, cancel) => RunAsync(
            result.GetValue(model)!, result.GetValue(hub), result.GetValue(dry), result.GetValue(yes), result.GetValue(connections), cancel));
        return command;
    }

    private static async Task<int> RunAsync(string model, string? choice, bool dry, bool yes, int connections, CancellationToken cancel)
    {
        if (!ModelReference.TryParse(model, out ModelReference? reference, out string? fault))
            return Fail(fault);
        try
        {
            (IHub hub, HubClient client) = Hubs.Open(choice, RetryPolicy.Default, Environment.GetEnvironmentVariable);
            using (client)
            {
                Pull pull = new(hub, ModelStore.ForUser());
                PullPlan plan = await pull.PlanAsync(reference, cancel);
                Show(plan, hub);
                if (plan.Take.Count == 0)
                {
                    Console.WriteLine("Everything is here already.");
                }
                else if (dry)
                {
                    return 0;
                }
                else if (!yes && !Console.IsInputRedirected && !Console.IsOutputRedirected && !AnsiConsole.Confirm($"Take {Bytes.Text(plan.BytesToTake)}?"))
                {
                    return 1;
                }

                await ShowProgressAsync(plan, observer => pull.RunAsync(plan, client, connections, RetryPolicy.Default, observer, cancel));
                Console.WriteLine($"Ready: {plan.Folder}");
                Console.WriteLine($"Serve it: glimmer serve --model {plan.Folder}");
                return 0;
            }
        }
        catch (HubException failure)
        {
            return Fail(failure.Message);
        }
        catch (OperationCanceledException)
        {
            return Fail("stopped; pull again to go on where it stopped.", 130);
        }
        catch (UnauthorizedAccessException failure)
        {
            return Fail($"{failure.Message} Choose another folder with GLIMMER_MODELS.");
        }
    }

    private static void Show(PullPlan plan, IHub hub)
    {
        Console.WriteLine($"{plan.Reference} from {hub.Name} to {plan.Folder}");
        foreach (HubFile file in plan.Present)
            Console.WriteLine($"  {Bytes.Text(file.Size),10}  {file.Path}  (here)");
        foreach (HubFile file in plan.Take)
            Console.WriteLine($"  {Bytes.Text(file.Size),10}  {file.Path}");
        Console.WriteLine($"  {Bytes.Text(plan.BytesToTake),10}  to take{(plan.Arrived > 0 ? $", {Bytes.Text(plan.Arrived)} are here from last time" : "")}");
    }

    private static async Task ShowProgressAsync(PullPlan plan, Func<IDownloadObserver, Task> run)
    {
        if (plan.Take.Count == 0 || Console.IsOutputRedirected)
        {
            await run(new LineObserver());
            return;
        }

        await AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new DownloadedColumn(), new TransferSpeedColumn(), new RemainingTimeColumn())
            .StartAsync(context => run(new BarObserver(context, plan)));
    }

    private static int Fail(string message, int code = 1)
    {
        Console.Error.WriteLine($"pull: {message}");
        return code;
    }

    private sealed class LineObserver : IDownloadObserver
    {
        public void Received(HubFile file, long bytes)
        {
        }

        public void Completed(HubFile file) => Console.WriteLine($"  done  {file.Path}");
    }

    private sealed class BarObserver(ProgressContext context, PullPlan plan) : IDownloadObserver
    {
        private readonly Dictionary<HubFile, ProgressTask> _bars = plan.Take.ToDictionary(
            file => file,
            file => context.AddTask(Markup.Escape(file.Path.Length <= 40 ? file.Path : "…" + file.Path[^39..]), maxValue: Math.Max(1, file.Size)));

        public void Received(HubFile file, long bytes) => _bars[file].Increment(bytes);

        public void Completed(HubFile file) => _bars[file].Value = _bars[file].MaxValue;
    }
}
