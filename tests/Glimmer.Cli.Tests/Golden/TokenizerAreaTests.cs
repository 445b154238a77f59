using Glimmer.Cli.Golden;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Golden;

public sealed class TokenizerAreaTests
{
    private static readonly string _folder = Fixtures.Path("tokenizer");

    public static TheoryData<string> Checks =>
    [
        "encode.jsonl", "encode-long.jsonl", "decode.jsonl", "encode-flags.jsonl", "encode-legacy.jsonl", "unicode-classes.json",
        "real-glm4/encode.jsonl", "real-glm5-ids.jsonl",
    ];

    private static readonly Lazy<IReadOnlyList<GoldenCheck>> _results = new(() => [.. new TokenizerArea().Run(_folder, CancellationToken.None)]);

    [Theory]
    [MemberData(nameof(Checks))]
    public void Every_row_is_as_the_reference_has_it(string name)
    {
        GoldenCheck check = Assert.Single(_results.Value, check => check.Name == name);
        Assert.True(check.Passed, check.Detail);
    }

    [Fact]
    public void Rendered_prompts_are_as_the_reference_has_them()
    {
        if (!Directory.Exists(Path.Combine(_folder, "..", "dialogue", "rendered")))
            Assert.Skip("The rendered prompts of the area dialogue are not in this clone.");
        GoldenCheck check = Assert.Single(_results.Value, check => check.Name == "real-glm4/prompts.jsonl");
        Assert.True(check.Passed, check.Detail);
    }

    [Fact]
    public void Prompts_without_their_texts_are_skipped_and_do_not_pass()
    {
        using var copy = new FixtureCopy(_folder);
        GoldenCheck check = Assert.Single(new TokenizerArea().Run(copy.Folder, CancellationToken.None), check => check.Name == "real-glm4/prompts.jsonl");
        Assert.False(check.Passed);
        Assert.StartsWith("skipped", check.Detail);
    }

    [Theory]
    [InlineData("encode.jsonl", "\"ids\": [220]", "\"ids\": [221]")]
    [InlineData("encode.jsonl", "\"pre\": [\" Hello\"]", "\"pre\": [\" \", \"Hello\"]")]
    [InlineData("encode-flags.jsonl", "\"ids_with_special\": [558, 560, 563]", "\"ids_with_special\": [558, 563]")]
    [InlineData("encode-legacy.jsonl", "\"prefix\": [8158, 8160]", "\"prefix\": [8158]")]
    [InlineData("encode-long.jsonl", "\"count\": 3001", "\"count\": 3002")]
    [InlineData("decode.jsonl", "\"stream\": [\"a\", \"\", \"\\ufffdb\", \"\"]", "\"stream\": [\"a\", \"\\ufffd\", \"b\", \"\"]")]
    [InlineData("real-glm4/encode.jsonl", "\"ids\": [21873]", "\"ids\": [21874]")]
    [InlineData("real-glm5-ids.jsonl", "154842]", "154841]")]
    [InlineData("unicode-classes.json", "[[65,90]", "[[65,89]")]
    public void A_damaged_expectation_is_reported(string file, string right, string wrong)
    {
        using var copy = new FixtureCopy(_folder);
        string path = Path.Combine(copy.Folder, file);
        string content = File.ReadAllText(path);
        int place = content.IndexOf(right, StringComparison.Ordinal);
        Assert.True(place >= 0, "the fixture no longer holds what this test damages");
        File.WriteAllText(path, content[..place] + wrong + content[(place + right.Length)..]);

        GoldenCheck[] failed = [.. new TokenizerArea().Run(copy.Folder, CancellationToken.None)
            .Where(check => !check.Passed && check.Name != "real-glm4/prompts.jsonl")];
        Assert.Equal(file, Assert.Single(failed).Name);
        Assert.NotNull(failed[0].Detail);
    }

    [Fact]
    public void A_tokenizer_that_cannot_be_read_is_a_failed_check()
    {
        using var copy = new FixtureCopy(_folder);
        File.WriteAllText(Path.Combine(copy.Folder, "tokenizer.json"), "{");
        GoldenCheck check = Assert.Single(new TokenizerArea().Run(copy.Folder, CancellationToken.None), check => check.Name == "encode.jsonl");
        Assert.False(check.Passed);
    }

    [Fact]
    public void Folders_are_recognised_by_their_files()
    {
        Assert.True(new TokenizerArea().Recognises(_folder));
        Assert.False(new TokenizerArea().Recognises(Path.GetTempPath()));
        Assert.False(new TokenizerArea().Recognises(Path.Combine(_folder, "real-glm4")));
        Assert.False(new TokenizerArea().Recognises(Path.Combine(_folder, "malformed")));
        Assert.Contains(GoldenAreas.All, area => area is TokenizerArea);
    }

    /// <summary>A copy of the fixtures that a test may damage.</summary>
    private sealed class FixtureCopy : IDisposable
    {
        public FixtureCopy(string source)
        {
            Folder = Directory.CreateTempSubdirectory("glimmer-golden-").FullName;
            foreach (string file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
            {
                string target = Path.Combine(Folder, Path.GetRelativePath(source, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target);
            }
        }

        public string Folder { get; }

        public void Dispose() => Directory.Delete(Folder, recursive: true);
    }
}
