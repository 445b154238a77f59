using System.Text.Json;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Deploy;

/// <summary>The emulator's container file, as far as it can be checked without a container engine.</summary>
public sealed class EmulatorImageTests
{
    private static readonly string Folder = Path.Combine(Fixtures.RepositoryRoot, "deploy", "emulator");

    private static string[] Lines => [.. File.ReadAllText(Path.Combine(Folder, "Containerfile")).Replace("\\\n", " ", StringComparison.Ordinal).Split('\n').Where(line => line.Length > 0 && line[0] != '#')];

    [Fact]
    public void Every_instruction_is_one_and_every_copied_source_exists_and_is_not_ignored()
    {
        string[] known = ["FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"];
        string[] kept = [.. File.ReadAllLines(Path.Combine(Folder, "Containerfile.dockerignore")).Where(line => line.StartsWith('!')).Select(line => line[1..])];
        int copied = 0;
        foreach (string[] words in Lines.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
        {
            Assert.Contains(words[0], known);
            if (words[0] != "COPY" || words[1].StartsWith("--from=", StringComparison.Ordinal))
                continue;
            foreach (string source in words[1..^1])
            {
                string path = Path.Combine(Fixtures.RepositoryRoot, source);
                Assert.True(File.Exists(path) || Directory.Exists(path), $"{source} is copied and is not there.");
                Assert.Contains(source, kept);
                copied++;
            }
        }

        Assert.Equal(kept.Length, copied);
    }

    [Fact]
    public void The_image_runs_without_privileges_and_asks_its_own_health()
    {
        Assert.Contains(Lines, line => line.StartsWith("USER ", StringComparison.Ordinal) && line != "USER 0");
        string health = Assert.Single(Lines, line => line.StartsWith("HEALTHCHECK", StringComparison.Ordinal));
        string[] command = JsonSerializer.Deserialize<string[]>(health[health.IndexOf('[', StringComparison.Ordinal)..])!;
        Assert.Equal(["dotnet", "/app/glimmer.dll", "health"], command[..3]);
        string[] entry = JsonSerializer.Deserialize<string[]>(Assert.Single(Lines, line => line.StartsWith("ENTRYPOINT", StringComparison.Ordinal))["ENTRYPOINT".Length..])!;
        Assert.Equal(command[..2], entry[..2]);
    }

    [Fact]
    public void Both_engines_ignore_the_same() => Assert.Equal(
        File.ReadAllText(Path.Combine(Folder, "Containerfile.dockerignore")), File.ReadAllText(Path.Combine(Folder, ".containerignore")));
}
