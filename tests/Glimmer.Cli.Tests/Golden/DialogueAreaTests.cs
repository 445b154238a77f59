using Glimmer.Cli.Golden;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Golden;

public sealed class DialogueAreaTests
{
    private static readonly string Folder = Fixtures.Path("dialogue");

    private static readonly Lazy<IReadOnlyList<GoldenCheck>> Results = new(() => [.. new DialogueArea().Run(Folder, CancellationToken.None)]);

    public static TheoryData<string> Groups =>
    [
        "rendered.glm-4-0414.", "rendered.glm-4-9b-chat.", "rendered.glm-4.1v.", "rendered.glm-4.5.", "rendered.glm-4.5v.",
        "rendered.glm-4.7.", "rendered.glm-5.", "rendered.glm-5.1.", "rendered.glm-5.2.", "rendered.glm-5.3.",
        "rendered.glm-5.3-flash.", "rendered.glm-edge.", "rendered.glm-ocr.", "rendered.glm-z1.", "tokens.", "parse.", "arguments.",
    ];

    [Theory]
    [MemberData(nameof(Groups))]
    public void Every_row_is_as_the_reference_has_it(string group)
    {
        GoldenCheck[] checks = [.. Results.Value.Where(check => check.Name.StartsWith(group, StringComparison.Ordinal))];
        Assert.NotEmpty(checks);
        Assert.Empty(checks.Where(check => !check.Passed).Select(check => $"{check.Name}: {check.Detail}"));
    }

    [Theory]
    [InlineData("rendered/glm-4.7.jsonl", "\"rendered\": \"[gMASK]<sop><|user|>", "\"rendered\": \"[gMASK]<sop> <|user|>", "rendered.glm-4.7.user-plain")]
    [InlineData("parse.jsonl", "\"expect\": {\"content\": \"Hello!\"", "\"expect\": {\"content\": \"Hello\"", "parse.plain-47-nothink")]
    [InlineData("arguments.jsonl", "\"schema\": \"integer\", \"text\": \"2\", \"value\": 2}", "\"schema\": \"integer\", \"text\": \"2\", \"value\": 2.0}", "arguments.23.integer")]
    public void A_damaged_expectation_is_reported(string file, string right, string wrong, string check)
    {
        string copy = Directory.CreateTempSubdirectory("glimmer-golden-").FullName;
        try
        {
            foreach (string source in (string[])["conversations.jsonl", file])
            {
                string target = Path.Combine(copy, source);
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(Path.Combine(Folder, source), target);
            }

            Directory.CreateDirectory(Path.Combine(copy, "rendered"));
            string path = Path.Combine(copy, file);
            string content = File.ReadAllText(path);
            int place = content.IndexOf(right, StringComparison.Ordinal);
            Assert.True(place >= 0, "the fixture no longer holds what this test damages");
            File.WriteAllText(path, content[..place] + wrong + content[(place + right.Length)..]);

            GoldenCheck failed = Assert.Single(new DialogueArea().Run(copy, CancellationToken.None), result => !result.Passed);
            Assert.Equal(check, failed.Name);
            Assert.NotNull(failed.Detail);
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    [Fact]
    public void A_generation_nobody_knows_is_a_failed_check()
    {
        string copy = Directory.CreateTempSubdirectory("glimmer-golden-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(copy, "rendered"));
            File.WriteAllText(Path.Combine(copy, "conversations.jsonl"), "");
            File.WriteAllText(Path.Combine(copy, "rendered", "glm-99.jsonl"), "{}\n");
            Assert.False(Assert.Single(new DialogueArea().Run(copy, CancellationToken.None)).Passed);
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    [Fact]
    public void Folders_are_recognised_by_their_files()
    {
        Assert.True(new DialogueArea().Recognises(Folder));
        Assert.False(new DialogueArea().Recognises(Path.GetTempPath()));
        Assert.Contains(GoldenAreas.All, area => area is DialogueArea);
    }
}
