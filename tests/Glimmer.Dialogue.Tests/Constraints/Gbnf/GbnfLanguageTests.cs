using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Gbnf;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Matching;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Tests.Constraints.Schemas;

namespace Glimmer.Dialogue.Tests.Constraints.Gbnf;

/// <summary>
/// What is written for other engines is the language of the constraint itself: on random texts, after every prefix, both allow the same next bytes and the
/// same ends, white space and escapes included.
/// </summary>
public sealed class GbnfLanguageTests
{
    private static readonly ToyTokenizer Tokenizer = ToyTokenizer.Standard;

    [Fact]
    public void Golden_schemas_are_written_whole()
    {
        int written = 0;
        foreach (SchemaRow row in SchemaRow.All)
            written += Compare(row.Name, row.Schema, walks: 6) ? 1 : 0;
        Assert.True(written > 80, $"{written}");
    }

    [Fact]
    public void Random_schemas_are_written_whole()
    {
        int written = 0;
        for (int seed = 0; seed < RandomWalk.Cases(12); seed++)
        {
            JsonElement schema = JsonSerializer.SerializeToElement(new RandomSchemas(new Random(seed)).Root());
            written += Compare($"seed {seed}: {schema.GetRawText()}", schema, walks: 4) ? 1 : 0;
        }

        Assert.True(written > RandomWalk.Cases(12) / 3, $"{written}");
    }

    [Fact]
    public void Json_of_any_kind_is_written_whole() => Compare("object", Compiler.JsonObject(AnswerPreamble.None), walks: 40);

    [Theory]
    [InlineData(@"(yes|no), [0-9]{3}")]
    [InlineData(@"[^a-c\]\-]+x?")]
    [InlineData(@"\w+@\w+\.(de|com)")]
    [InlineData(@"[\u4e00-\u9fff]{2,5}")]
    public void Expressions_are_written_whole(string pattern) => Compare(pattern, Compiler.Regex(pattern, AnswerPreamble.None), walks: 40);

    [Theory]
    [InlineData("""{"type":"string","pattern":"^[a-f]+$","maxLength":5}""")]
    [InlineData("""{"type":"string","pattern":"^(ab|c)*$","minLength":3}""")]
    [InlineData("""{"type":"string","pattern":"[\ud83d\ude00-\ud83d\ude4f]","maxLength":4}""")]
    [InlineData("""{"type":"string","pattern":"^[\u0000-\u001f/\"\\\\é]{1,3}$"}""")]
    [InlineData("""{"type":"object","additionalProperties":{"type":"string"},"properties":{"a":{"type":"integer"}},"required":["a"]}""")]
    [InlineData("""{"type":"object","additionalProperties":{"type":"integer"},"minProperties":2,"maxProperties":3}""")]
    public void Awkward_schemas_are_written_whole(string schema) => Assert.True(Compare(schema, JsonDocument.Parse(schema).RootElement, walks: 60));

    [Theory]
    [InlineData("glm-4.5")]
    [InlineData("glm-4.7")]
    [InlineData("glm-4-0414")]
    public void Calls_are_written_whole(string generation) => Compare(generation, GbnfWriterTests.Calls(generation, GbnfWriterTests.Weather), walks: 60);

    private static ConstraintCompiler Compiler => GbnfWriterTests.Compiler;

    private static bool Compare(string name, JsonElement schema, int walks)
    {
        try
        {
            return Compare(name, Compiler.JsonSchema(schema, strict: false, AnswerPreamble.None).Constraint!, walks);
        }
        catch (JsonSchemaException)
        {
            // Schemas that no value satisfies, or that are none, have no grammar.
            return false;
        }
    }

    private static bool Compare(string name, CompiledConstraint constraint, int walks)
    {
        // With control tokens as texts, since what reads the notation here knows no ids; sets of characters are narrower there.
        bool hasControls = constraint.ToGbnf(GbnfDialect.Llama) is { } llama && llama.Contains("<[", StringComparison.Ordinal);
        if (constraint.ToGbnf(hasControls ? GbnfDialect.XGrammar : GbnfDialect.Llama) is not { } grammar)
            return false;
        GrammarMachine written = new(Grammar.Compile(TextGrammar.Gbnf(grammar).Root));
        for (int seed = 0; seed < walks; seed++)
            Walk(name, constraint, written, new Random(seed), grammar);
        return true;
    }

    private static void Walk(string name, CompiledConstraint constraint, GrammarMachine written, Random random, string grammar)
    {
        (MatchState ours, MatchState theirs) = (constraint.Machine.Start, written.Start);
        List<byte> text = [];
        bool isStubborn = random.Next(2) == 0;
        for (int length = 0; length < 200; length++)
        {
            int[] controls = [.. ours.Threads.Where(thread => thread.Edge.Kind == EdgeKind.Control).SelectMany(thread => thread.Edge.Tokens!).Distinct()];
            int[] tags = [.. controls.Where(token => !constraint.StopTokenSet.Contains(token))];
            HashSet<byte> wanted = [.. Bytes(ours), .. tags.Select(tag => Tokenizer.BytesOf(tag)[0])];
            bool ends = ours.CanEnd || controls.Length > tags.Length;
            HashSet<byte> found = [.. Bytes(theirs)];
            if (!wanted.SetEquals(found) || ends != theirs.CanEnd)
                Assert.Fail($"{name}\nafter '{Encoding.UTF8.GetString([.. text])}' ({ends}, {theirs.CanEnd}): only here {Show(wanted.Except(found))}, only there {Show(found.Except(wanted))}\n{grammar}");
            byte[] next = Bytes(ours);
            if (next.Length + tags.Length == 0)
                return;
            int choice = random.Next(next.Length + (4 * tags.Length));
            if (choice < next.Length)
            {
                // What is written most often in texts, more often, and the same again, up to its bound: else walks are lost in letters.
                byte value = isStubborn && text.Count > 0 && next.Contains(text[^1]) && random.Next(12) > 0 ? text[^1] : random.Next(3) > 0 && next.Where(static b => "\"\\{}[],:u0 \n"u8.Contains(b)).ToArray() is { Length: > 0 } marks ? marks[random.Next(marks.Length)] : next[choice];
                (ours, theirs) = (ours.Next(value), theirs.Next(value));
                text.Add(value);
                continue;
            }

            int tag = tags[(choice - next.Length) / 4];
            ours = constraint.Machine.StepControl(ours, tag);
            foreach (byte value in Tokenizer.BytesOf(tag))
                theirs = theirs.Next(value);
            text.AddRange(Tokenizer.BytesOf(tag));
        }
    }

    private static byte[] Bytes(MatchState state) => [.. Enumerable.Range(1, 255).Select(static b => (byte)b).Where(b => state.NextBytes.Contains(b))];

    private static string Show(IEnumerable<byte> bytes) => string.Join(' ', bytes.Select(b => b is > 0x20 and < 0x7F ? $"{(char)b}" : $"{b:X2}"));
}
