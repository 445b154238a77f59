using Glimmer.Server.Admin;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Admin;

public sealed class AdminDocumentationTests
{
    [Fact]
    public void Every_route_stands_in_the_documentation()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Fixtures.RepositoryRoot, "docs", "admin.md"));
        foreach (AdminOperation operation in AdminOperations.All)
            Assert.Single(lines, line => line.StartsWith($"| {operation.Method} | `{operation.Path}` | ", StringComparison.Ordinal));
        Assert.Equal(AdminOperations.All.Count, AdminOperations.All.Select(operation => (operation.Method, operation.Path)).Distinct().Count());
    }
}
