using Glimmer.Cli.Golden;
using Glimmer.Models;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Golden;

public sealed class MalformedTests
{
    [Theory]
    [InlineData("gguf")]
    [InlineData("tokenizer")]
    public void Damaged_files_are_refused_clearly(string room)
    {
        MalformedArea area = new();
        string folder = Fixtures.Path(room, "malformed");
        Assert.True(area.Recognises(folder));
        GoldenCheck[] checks = [.. area.Run(folder, TestContext.Current.CancellationToken)];
        Assert.True(checks.Length > 20);
        string failed = string.Join('\n', checks.Where(check => !check.Passed));
        Assert.True(failed.Length == 0, failed);
    }

    [Theory]
    [InlineData("error", "accepted", null)]
    [InlineData("ok", "it is valid", "it is damaged")]
    [InlineData("either", "does not name the file", "something is damaged")]
    [InlineData("either", "InvalidOperationException", "crash")]
    [InlineData("either", "allocated", "allocate")]
    public void What_is_wrong_is_reported(string expect, string problem, string? behaviour)
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-malformed-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "x.bin"), "x");
            File.WriteAllText(Path.Combine(folder, "index.jsonl"), $$"""
                {"file": "x.bin", "kind": "test", "reason": "r", "expect": "{{expect}}", "bytes": 1}
                {"file": "x.bin", "kind": "other", "reason": "r", "expect": "either", "bytes": 1}

                """);
            MalformedArea area = new(new Dictionary<string, Action<string>> { ["test"] = Behave });
            GoldenCheck[] checks = [.. area.Run(folder, TestContext.Current.CancellationToken)];
            Assert.False(checks[0].Passed);
            Assert.Contains(problem, checks[0].Detail, StringComparison.Ordinal);
            Assert.False(checks[1].Passed); // no runner for that kind
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        void Behave(string path)
        {
            switch (behaviour)
            {
                case null:
                    return;
                case "crash":
                    throw new InvalidOperationException("x.bin");
                case "allocate":
                    GC.KeepAlive(new byte[100 << 20]);
                    return;
                case "it is damaged":
                    throw new ModelFileException(path, behaviour);
                default:
                    throw new ModelFileException("elsewhere", behaviour);
            }
        }
    }
}
