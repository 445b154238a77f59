using System.Xml.Linq;
using Glimmer.Testing;

namespace Glimmer.Architecture.Tests;

/// <summary>Arrows between rooms run down only (docs/architecture.md).</summary>
public sealed class ProjectReferenceTests
{
    private static readonly Dictionary<string, string[]> _allowed = new(StringComparer.Ordinal)
    {
        ["Kernels"] = [],
        ["Dialogue"] = [],
        ["Protocol"] = [],
        ["Models"] = ["Kernels"],
        ["Engine"] = ["Models", "Dialogue"],
        ["Inference"] = ["Engine", "Dialogue", "Protocol"],
        ["Platform"] = ["Protocol"],
        ["Client"] = ["Protocol"],
        ["Server"] = ["Platform", "Inference", "Protocol", "Client"],
        ["Cli"] = ["Server"],
    };

    public static TheoryData<string> Rooms => [.. _allowed.Keys];

    [Fact]
    public void Every_project_under_src_is_a_room_of_the_plan()
    {
        IEnumerable<string> found = Directory.GetDirectories(Path.Combine(Fixtures.RepositoryRoot, "src"), "Glimmer.*")
            .Where(folder => Directory.GetFiles(folder, "*.csproj").Length > 0)
            .Select(folder => Path.GetFileName(folder)["Glimmer.".Length..]);
        Assert.Equal(_allowed.Keys.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Rooms))]
    public void A_room_references_only_the_rooms_below_it(string room)
    {
        IEnumerable<string> references = ReferencesOf(room);
        Assert.Empty(references.Except(_allowed[room], StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Rooms))]
    public void Every_room_has_tests_or_is_tested_through_the_one_above(string room)
    {
        string project = Path.Combine(Fixtures.RepositoryRoot, "tests", $"Glimmer.{room}.Tests", $"Glimmer.{room}.Tests.csproj");
        Assert.True(File.Exists(project), $"{project} is missing.");
    }

    private static IEnumerable<string> ReferencesOf(string room)
    {
        string project = Path.Combine(Fixtures.RepositoryRoot, "src", $"Glimmer.{room}", $"Glimmer.{room}.csproj");
        return XDocument.Load(project)
            .Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/'))["Glimmer.".Length..]);
    }
}
