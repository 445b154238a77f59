using System.Text.Json;

namespace Glimmer.Cli.Tests.EndToEnd;

public sealed class PlatformCommandsTests : ProgramTests
{
    [Fact]
    public async Task Plans_are_given_watched_and_struck()
    {
        Assert.Contains("pro     400 prompts per 5 h, 2000 a week, 1000 tool calls a month  month 72.00 USD", await OutputAsync("plans", "list"));
        Assert.Contains("never had a plan", await OutputAsync("plans", "status"));
        (await RunAsync("plans", "order", "lite", "--data", "d")).AssertOneClearLine(1, "arrears");
        (await RunAsync("plans", "order", "gold", "--data", "d")).AssertOneClearLine(1, "gold", "lite, pro, max");
        (await RunAsync("plans", "status", "--account", "acc-nobody", "--data", "d")).AssertOneClearLine(1, "acc-nobody");
        string granted = await OutputAsync("plans", "grant", "pro", "--months", "2", "--reason", "beta");
        Assert.Contains("window  0 of 400 prompts", granted);
        Assert.Contains("strikes 1", await OutputAsync("plans", "strike", "--reason", "resale"));
        Assert.Contains("strikes 0", await OutputAsync("plans", "appeal"));
        string[] history = (await OutputAsync("plans", "history")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["Granted", "Struck", "AppealDecided"], history.Select(line => JsonDocument.Parse(line[line.IndexOf('{', StringComparison.Ordinal)..]).RootElement.GetProperty("kind").GetString()));
    }

    [Fact]
    public async Task Catalogue_versions_are_checked_stored_and_put_in_force()
    {
        string file = Write("prices.yaml", "prices:\n  - { model: glm-4.7, currency: USD, input: 9 }\n");
        Assert.Contains("Version 1 is stored", await OutputAsync("catalogue", "add", file, "--note", "dearer"));
        Assert.Contains("  1  ", await OutputAsync("catalogue", "list"));
        Assert.Contains("Version 1 is in force", await OutputAsync("catalogue", "activate", "1"));
        Assert.StartsWith("*    1  ", await OutputAsync("catalogue", "list"));
        Assert.Equal(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), await OutputAsync("catalogue", "show", "1"));
        Assert.Contains("Version 0 is in force", await OutputAsync("catalogue", "activate", "0"));
        string wrong = Write("wrong.yaml", "prices:\n  - { model: glm-4.7, colour: 9 }\n");
        (await RunAsync("catalogue", "add", wrong, "--data", "d")).AssertOneClearLine(78, "line 2", "colour");
        (await RunAsync("catalogue", "add", wrong, "--plans", "--data", "d")).AssertOneClearLine(78, "prices", "plans");
        (await RunAsync("catalogue", "add", "absent.yaml", "--data", "d")).AssertOneClearLine(66, "absent.yaml");
        (await RunAsync("catalogue", "activate", "7", "--data", "d")).AssertOneClearLine(78, "7");
    }

    private async Task<string> OutputAsync(params string[] arguments)
    {
        ProgramRun run = await RunAsync([.. arguments, "--data", "d"]);
        Assert.True(run.ExitCode == 0, run.Errors);
        return run.Output;
    }
}
