using Glimmer.Cli.Golden;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Golden;

public sealed class TasksAreaTests
{
    [Fact]
    public void The_bundled_model_answers_as_the_reference()
    {
        GoldenCheck[] checks = [.. new TasksArea().Run(Fixtures.Path("glimmer-tiny"), CancellationToken.None)];

        Assert.Equal(2 * 186 + 1, checks.Length);
        Assert.Empty(checks.Where(check => !check.Passed).Select(check => $"{check.Name}: {check.Detail}"));
    }

    [Fact]
    public void Damaged_expectations_are_reported()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-tasks-").FullName;
        string[] rows = [.. File.ReadLines(Fixtures.Path("glimmer-tiny", "tasks.jsonl")).Take(2)];
        rows[0] = rows[0].Replace("\"greedy_ids\": [5639, 2057,", "\"greedy_ids\": [5639, 2058,", StringComparison.Ordinal);
        rows[1] = rows[1].Replace("\"prompt_ids\": [8158, 8160,", "\"prompt_ids\": [8158, 8161,", StringComparison.Ordinal)
            .Replace("\"right\": true", "\"right\": false", StringComparison.Ordinal);
        File.WriteAllLines(Path.Combine(folder, "tasks.jsonl"), rows);

        IEnumerable<string> failed = new TasksArea().Run(folder, CancellationToken.None).Where(check => !check.Passed).Select(check => check.Name);

        Assert.Equal(["1.chat.greeting.greedy", "2.chat.identity.prompt", "right"], failed);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_file_that_is_no_task_list_is_a_failed_check()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-tasks-").FullName;
        File.WriteAllText(Path.Combine(folder, "tasks.jsonl"), "{\"messages\": 3}\n");

        Assert.True(new TasksArea().Recognises(folder));
        Assert.False(Assert.Single(new TasksArea().Run(folder, CancellationToken.None)).Passed);
        Directory.Delete(folder, recursive: true);
    }
}
