using Glimmer.Platform.Catalog;
using Glimmer.Shared.Yaml;

namespace Glimmer.Platform.Tests.Catalog;

public sealed class CatalogueTests
{
    private const string Odd = "{}[]:,-#&*!|>'\"%@` \t9";

    private static readonly Catalogue BuiltIn = Catalogue.Load();

    // models-catalog.md §2: every code of the table.
    private const string Codes =
        "glm-5.1 glm-5 glm-5-turbo glm-5v-turbo glm-4.7 glm-4.7-flashx glm-4.7-flash glm-4.6 glm-4.5 glm-4.5-x glm-4.5-air glm-4.5-airx glm-4.5-flash " +
        "glm-4-32b-0414-128k glm-4-plus glm-4-air-250414 glm-4-airx glm-4-flashx-250414 glm-4-flash-250414 glm-4-long glm-4-air glm-4-flash glm-4-flashx glm-4 glm-4-0520 " +
        "glm-4-9b chatglm3-6b glm-4-alltools glm-4-assistant glm-z1-air glm-z1-airx glm-z1-flashx glm-z1-flash glm-4.6v glm-4.6v-flashx glm-4.6v-flash glm-4.5v " +
        "glm-4.1v-thinking-flashx glm-4.1v-thinking-flash glm-4.1v-thinking glm-4v-plus-0111 glm-4v-plus glm-4v glm-4v-flash autoglm-phone-multilingual autoglm-phone " +
        "autoglm-phone-9b glm-ocr glm-image cogview-4-250304 cogview-4 cogview-3-flash cogview-3-plus cogview-3 cogvideox-3 cogvideox-2 cogvideox-flash cogvideox cogvideo " +
        "viduq1-text viduq1-image viduq1-start-end vidu2-image vidu2-start-end vidu2-reference glm-asr-2512 glm-asr glm-tts glm-tts-clone cogtts cogtts-clone glm-4-voice " +
        "glm-realtime glm-realtime-flash glm-realtime-air embedding-3 embedding-2 embedding-3-pro rerank rerank-pro charglm-4 charglm-3 emohaa codegeex-4 moderation " +
        "web-search-pro search-prime search_pro_jina search_std search_pro search_pro_sogou search_pro_quark glm-4.6-air glm-4.6-flash glm-5.2 glm-5.3 glm-5.3-flash glm-5.3-flashx";

    [Fact]
    public void Every_code_of_the_table_is_there_and_nothing_else()
    {
        Assert.Equal(Codes.Split(' ').Order(StringComparer.Ordinal), BuiltIn.Models.Select(model => model.Code).Order(StringComparer.Ordinal));
        Assert.All(BuiltIn.Models, model => Assert.True(model.Created > 0));
    }

    [Fact]
    public void Both_readers_give_the_same_tree_for_the_built_in_file()
    {
        using StreamReader first = Catalogue.OpenBuiltIn();
        using StreamReader second = Catalogue.OpenBuiltIn();
        Assert.Equal(Dump(CatalogText.Read(first, "a")!), Dump(LineForm.Read(second, "a")));

        static string Dump(YamlTree tree) =>
            tree.Scalar is { } text ? $"'{text}'"
            : tree.Items is { } items ? $"[{string.Join(",", items.Select(Dump))}]"
            : $"{{{string.Join("\n", tree.Members!.Select(member => $"{member.Key}@{member.Value.Line}:{Dump(member.Value)}"))}}}";
    }

    [Theory]
    [InlineData("glm-5.1", 204800, 65536, 131072, 1.0, 0.95, ThinkingRule.Dynamic, true)]
    [InlineData("GLM-4.7", 204800, 65536, 131072, 1.0, 0.95, ThinkingRule.Forced, true)]
    [InlineData("glm-4.6", 204800, 65536, 131072, 1.0, 0.95, ThinkingRule.Dynamic, true)]
    [InlineData("glm-4.5-Air", 131072, 65536, 98304, 0.6, 0.95, ThinkingRule.Dynamic, false)]
    [InlineData("glm-4.5-flash", 131072, 65536, 98304, 0.6, 0.95, ThinkingRule.Dynamic, false)]
    [InlineData("glm-4-32b-0414-128k", 131072, 16384, 16384, 0.75, 0.9, ThinkingRule.None, false)]
    [InlineData("glm-4-plus", 131072, 4095, 4095, 0.75, 0.9, ThinkingRule.None, false)]
    [InlineData("glm-4-flash-250414", 131072, 32768, 32768, 0.75, 0.9, ThinkingRule.None, false)]
    [InlineData("glm-4.5v", 65536, 16384, 16384, 0.8, 0.6, ThinkingRule.Forced, false)]
    [InlineData("glm-4.6v", 131072, 16384, 32768, 0.8, 0.6, ThinkingRule.Dynamic, false)]
    [InlineData("autoglm-phone", 20480, 2048, 4096, 0.0, 0.85, ThinkingRule.None, false)]
    [InlineData("charglm-4", 8192, 1024, 4096, 0.95, 0.7, ThinkingRule.None, false)]
    [InlineData("glm-4-voice", 8192, 1024, 4096, 0.8, 0.6, ThinkingRule.None, false)]
    public void Limits_and_defaults_are_those_of_the_table(
        string code, int context, int defaultOutput, int maxOutput, double temperature, double topP, ThinkingRule thinking, bool toolStream)
    {
        CatalogModel model = BuiltIn.Resolve(code)!;
        Assert.Equal(
            (context, defaultOutput, maxOutput, temperature, topP, thinking, toolStream),
            (model.Context, model.DefaultOutput, model.MaxOutput, model.Temperature, model.TopP, model.Thinking, model.ToolStream));
    }

    [Theory]
    [InlineData("GLM-Z1-Air", null, "glm-4.6")]
    [InlineData("glm-4-0520", null, "glm-4-plus")]
    [InlineData("glm-realtime", null, "glm-realtime-flash")]
    [InlineData("cogView-4-250304", null, "cogview-4-250304")]
    [InlineData("glm-9", null, null)]
    [InlineData("", null, null)]
    [InlineData("glm-4.1v-thinking", null, null)]
    [InlineData("claude-sonnet-4-5", null, null)]
    [InlineData("Claude-Sonnet-4-5", "anthropic", "glm-4.7")]
    [InlineData("claude-3-5-haiku-20241022", "anthropic", "glm-4.5-air")]
    [InlineData("gpt-4", "anthropic", null)]
    public void Codes_lead_to_the_model_that_answers(string code, string? dialect, string? expected) =>
        Assert.Equal(expected, BuiltIn.Resolve(code, dialect)?.Code);

    [Fact]
    public void A_file_changes_and_extends_the_built_in_catalogue()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("catalog.yaml"), """
            models:
              - code: GLM-4.7
                max_output: 64K
                default_output: 1000
              - code: glm-4.6
                state: retired
                successor: glm-5
              - { code: my-model, family: glm-4.5, context: 32K, default_output: 10, max_output: 100 }
            """);
        var catalogue = Catalogue.Load(folder.File("catalog.yaml"));
        CatalogModel changed = catalogue.Find("glm-4.7")!;
        Assert.Equal((1000, 65536, 204800), (changed.DefaultOutput, changed.MaxOutput, changed.Context));
        Assert.Equal(32768, catalogue.Resolve("MY-MODEL")!.Context);
        Assert.Equal("glm-5", catalogue.Resolve("glm-z1-air")!.Code);
        Assert.Equal(BuiltIn.Models.Count + 1, catalogue.Models.Count);
    }

    [Theory]
    [InlineData("models: 5", 1, "list")]
    [InlineData("models:\n  - context: 5", 2, "needs a code")]
    [InlineData("models:\n  - code: a b", 2, "no model code")]
    [InlineData("models:\n  - code: a\n    colour: red\n    context: 1", 3, "colour")]
    [InlineData("models:\n  - code: a\n    context: many", 3, "128K")]
    [InlineData("models:\n  - code: a\n    context: 9999999999", 3, "128K")]
    [InlineData("models:\n  - code: a\n    temperature: 3", 3, "from 0 to 1")]
    [InlineData("models:\n  - code: a\n    kind: poem", 3, "use one of")]
    [InlineData("models:\n  - code: a\n    tools: yes", 3, "true or false")]
    [InlineData("models:\n  - code: a\n    family: nobody", 3, "family")]
    [InlineData("models:\n  - code: a", 2, "context")]
    [InlineData("models:\n  - { code: a, context: 5, max_output: 5, default_output: 6 }", 2, "above")]
    [InlineData("models:\n  - { code: a, context: 5, max_output: 5, successor: b }", 2, "successor")]
    [InlineData("models:\n  - { code: a, context: 5, max_output: 5, successor: b }\n  - { code: b, context: 5, max_output: 5, successor: a }", 2, "circle")]
    [InlineData("aliases:\n  - { pattern: x, target: y }", 2, "target")]
    [InlineData("colours: []", 1, "colours")]
    [InlineData("models: []\nmodels: []", 2, "twice")]
    [InlineData("models: &a []", 1, "anchors")]
    [InlineData("models: *a", 1, "")]
    [InlineData("models: [", 2, "YAML")]
    [InlineData("a: [[[[[[[[[[[[1]]]]]]]]]]]]", 1, "deeper")]
    [InlineData("{}\n---\n{}", 2, "second document")]
    public void Faults_name_their_line(string text, int line, string part)
    {
        CatalogException fault = Assert.Throws<CatalogException>(() => Catalogue.Parse(new StringReader(text), "my.yaml"));
        Assert.Contains($"my.yaml, line {line}: ", fault.Message);
        Assert.Contains(part, fault.Message);
    }

    [Fact]
    public void Mutated_files_are_read_or_refused_and_never_crash()
    {
        using StreamReader reader = Catalogue.OpenBuiltIn();
        string[] lines = [.. reader.ReadToEnd().Split('\n').Where((_, i) => i % 5 != 4)];
        var random = new Random(4);
        for (int i = 0; i < 150; i++)
        {
            string[] changed = [.. lines];
            for (int change = 0; change < 3; change++)
            {
                int at = random.Next(changed.Length);
                char[] text = (changed[at] + " ").ToCharArray();
                text[random.Next(text.Length)] = Odd[random.Next(Odd.Length)];
                changed[at] = new string(text);
            }

            string whole = string.Join('\n', changed);
            Try(() => Catalogue.Parse(new StringReader(whole), "fuzz"));
            Try(() => LineForm.Read(new StringReader(whole), "fuzz"));
        }

        static void Try(Action read)
        {
            try
            {
                read();
            }
            catch (CatalogException)
            {
                // The only way to refuse.
            }
        }
    }
}
