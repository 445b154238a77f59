using System.Reflection;
using Glimmer.Testing;

namespace Glimmer.Architecture.Tests;

/// <summary>
/// The public surface of every library is a text file under docs/public-api, so that a change to it is seen in review.
/// <c>GLIMMER_UPDATE_PUBLIC_API=1</c> writes the files anew.
/// </summary>
public sealed class PublicApiTests
{
    public static TheoryData<string> Libraries =>
        ["Kernels", "Models", "Dialogue", "Engine", "Inference", "Platform", "Protocol", "Client", "Server"];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void The_public_surface_is_the_one_on_file(string library)
    {
        string path = Path.Combine(Fixtures.RepositoryRoot, "docs", "public-api", $"Glimmer.{library}.txt");
        string actual = PublicSurface.Describe(Assembly.Load($"Glimmer.{library}"));
        if (Environment.GetEnvironmentVariable("GLIMMER_UPDATE_PUBLIC_API") == "1")
            File.WriteAllText(path, actual);
        Assert.True(File.Exists(path), $"{path} is missing; write it with GLIMMER_UPDATE_PUBLIC_API=1.");
        string[] expected = File.ReadAllText(path).ReplaceLineEndings("\n").Split('\n');
        string[] found = actual.Split('\n');
        string[] added = [.. found.Except(expected, StringComparer.Ordinal)];
        string[] removed = [.. expected.Except(found, StringComparer.Ordinal)];
        Assert.True(
            string.Equals(string.Join('\n', expected), actual, StringComparison.Ordinal),
            $"Glimmer.{library} changed its public surface. Added:\n{string.Join('\n', added)}\nRemoved:\n{string.Join('\n', removed)}\nIf that is meant, run the tests once with GLIMMER_UPDATE_PUBLIC_API=1 and commit the file.");
    }
}
