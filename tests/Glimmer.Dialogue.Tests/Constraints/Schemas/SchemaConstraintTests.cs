using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Constraints.Schemas.Validation;

namespace Glimmer.Dialogue.Tests.Constraints.Schemas;

public sealed class SchemaConstraintTests
{
    private static readonly ToyTokenizer Tokenizer = ToyTokenizer.Standard;
    private static readonly ConstraintCompiler Compiler = new(Tokenizer, [Tokenizer.Control("<|user|>")]);

    /// <summary>Schemas of the golden data that compile under strictness.</summary>
    private static IEnumerable<SchemaRow> Compilable => SchemaRow.All.Where(r => Compile(r.Schema).Succeeded);

    private static SchemaCompilation Compile(JsonElement schema, bool strict = true) => Compiler.JsonSchema(schema, strict, AnswerPreamble.None);

    private static CompiledConstraint Compile(string schema)
    {
        SchemaCompilation result = Compile(JsonDocument.Parse(schema).RootElement);
        Assert.Empty(result.Unsupported);
        return result.Constraint!;
    }

    private static bool Accepts(CompiledConstraint constraint, string text) => constraint.AcceptsText(Encoding.UTF8.GetBytes(text));

    [Fact]
    public void Random_walks_give_valid_texts()
    {
        int cases = RandomWalk.Cases(3);
        int unended = 0;
        foreach (SchemaRow row in Compilable)
        {
            CompiledConstraint constraint = Compile(row.Schema).Constraint!;
            JsonSchemaValidator validator = new(row.Schema);
            for (int seed = 0; seed < cases; seed++)
            {
                List<int>? tokens = RandomWalk.Run(constraint, Tokenizer, new Random(seed), free: 8 * seed, checkMasks: seed == 1);

                // A walk may wander among free keys and never meet the one that is required.
                if (tokens is null)
                {
                    unended++;
                    continue;
                }

                byte[] text = RandomWalk.Bytes(Tokenizer, tokens);
                using JsonDocument document = JsonDocument.Parse(text, new() { MaxDepth = 1000 });
                IReadOnlyList<SchemaViolation> violations = validator.Validate(document.RootElement);
                Assert.True(violations.Count == 0, $"{row.Name}: {Encoding.UTF8.GetString(text)}: {(violations.Count > 0 ? violations[0] : null)}");
            }
        }

        Assert.InRange(unended, 0, 4 * cases);
    }

    [Fact]
    public void Valid_texts_are_never_blocked_by_a_mask()
    {
        uint[] mask = new uint[Compiler.MaskWords];
        foreach (SchemaRow row in Compilable)
        {
            foreach (string text in row.Valid.Take(3))
            {
                GrammarConstraint constraint = Compile(row.Schema).Constraint!.Start();
                List<int> ids = [];
                Tokenizer.Encode(text, recogniseAdded: false, ids);
                foreach (int id in ids)
                {
                    constraint.FillMask(mask);
                    Assert.True((mask[id >> 5] >> (id & 31) & 1) != 0, $"{row.Name}: {text}: token {id}");
                    constraint.Accept(id);
                }

                Assert.True(constraint.CanEnd, $"{row.Name}: {text}");
            }
        }
    }

    [Theory]
    [InlineData("""{"type":"string","pattern":"(?=a)b"}""", "pattern", "look-ahead")]
    [InlineData("""{"type":"object","properties":{"a/b":{"type":"array","uniqueItems":true}}}""", "uniqueItems", "maxItems")]
    [InlineData("""{"type":"object","unevaluatedProperties":false}""", "unevaluatedProperties", "additionalProperties")]
    [InlineData("""{"type":"array","contains":{"type":"null"},"minContains":2}""", "contains", "at least one")]
    [InlineData("""{"type":"string","format":"iri"}""", "format", "iri")]
    [InlineData("""{"oneOf":[{"type":"array","items":{"type":"integer"}},{"type":"array","maxItems":3}]}""", "oneOf", "anyOf")]
    [InlineData("""{"type":"object","if":{"additionalProperties":false},"then":{"required":["a"]}}""", "if", "opposite")]
    [InlineData("""{"not":{"type":"array","items":{"type":"integer"}}}""", "not", "opposite")]
    [InlineData("""{"type":"integer","multipleOf":100003}""", "multipleOf", "remainders")]
    [InlineData("""{"type":"integer","nullable":true}""", "nullable", "not a keyword")]
    public void What_cannot_be_enforced_is_named_and_relaxed_only_when_asked(string schema, string keyword, string reason)
    {
        JsonElement element = JsonDocument.Parse(schema).RootElement;
        SchemaCompilation strict = Compile(element, strict: true);
        Assert.False(strict.Succeeded);
        SchemaCompilation loose = Compile(element, strict: false);
        Assert.True(loose.Succeeded);
        Assert.Equal(strict.Unsupported, loose.Unsupported);
        UnsupportedKeyword only = Assert.Single(loose.Unsupported);
        Assert.Equal(keyword, only.Keyword);
        Assert.Contains(reason, only.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Refusals_point_at_the_place()
    {
        JsonElement schema = JsonDocument.Parse("""{"properties":{"a/b~":{"items":{"type":"array","uniqueItems":true}}}}""").RootElement;
        Assert.Equal("/properties/a~1b~0/items", Assert.Single(Compile(schema).Unsupported).Pointer);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("""{"type":"strin"}""")]
    [InlineData("""{"type":[]}""")]
    [InlineData("""{"minimum":"3"}""")]
    [InlineData("""{"minLength":-1}""")]
    [InlineData("""{"minLength":1.5}""")]
    [InlineData("""{"multipleOf":0}""")]
    [InlineData("""{"enum":[]}""")]
    [InlineData("""{"required":[1]}""")]
    [InlineData("""{"properties":[]}""")]
    [InlineData("""{"properties":{"a":1}}""")]
    [InlineData("""{"$ref":"#/$defs/none"}""")]
    [InlineData("""{"$ref":"http://example.com/x"}""")]
    [InlineData("""{"$ref":"#"}""")]
    [InlineData("""{"anyOf":[{"$ref":"#"}]}""")]
    [InlineData("""{"type":"string","pattern":"("}""")]
    [InlineData("false")]
    [InlineData("""{"type":"integer","minimum":3,"maximum":2}""")]
    [InlineData("""{"allOf":[{"type":"string"},{"type":"null"}]}""")]
    [InlineData("""{"type":"object","required":["a"],"properties":{"a":false}}""")]
    [InlineData("""{"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}}""")]
    [InlineData("""{"minimum":1e99999}""")]
    public void Wrong_and_unsatisfiable_schemas_are_errors(string schema) =>
        Assert.Throws<JsonSchemaException>(() => Compile(JsonDocument.Parse(schema).RootElement));

    [Fact]
    public void Deep_and_wide_schemas_are_errors_or_compile_but_never_crash()
    {
        string deep = string.Concat(Enumerable.Repeat("""{"items":""", 200)) + "{}" + new string('}', 200);
        Assert.Throws<JsonSchemaException>(() => Compile(JsonDocument.Parse(deep, new() { MaxDepth = 1000 }).RootElement));
        string anyOfs = string.Join(',', Enumerable.Range(0, 12).Select(i => $$"""{"anyOf":[{"minimum":{{i}}},{"maximum":{{-i}}}]}"""));
        Assert.Throws<JsonSchemaException>(() => Compile(JsonDocument.Parse($$"""{"type":"number","allOf":[{{anyOfs}}]}""").RootElement));
        string wide = string.Join(',', Enumerable.Range(0, 1200).Select(i => $$"""
            "p{{i}}":{"type":"integer"}
            """));
        CompiledConstraint constraint = Compile($$"""{"type":"object","properties":{{{wide}}},"additionalProperties":false}""");
        Assert.True(Accepts(constraint, "{\"p1199\": 1}"));
        Assert.False(Accepts(constraint, "{\"p1200\": 1}"));
    }

    [Fact]
    public void Declared_keys_cannot_come_again_under_another_spelling()
    {
        CompiledConstraint constraint = Compile("""{"type":"object","properties":{"ab":{"type":"integer"}},"required":["ab"]}""");
        Assert.True(Accepts(constraint, """{"ab": 1, "abc": "x", "a": null}"""));
        Assert.False(Accepts(constraint, """{"ab": 1, "ab": "x"}"""));
        Assert.False(Accepts(constraint, """{"ab": 1, "a\u0062": "x"}"""));
        Assert.False(Accepts(constraint, """{"\u0061b": "x"}"""));
    }

    [Theory]
    [InlineData("""{"type":"object","minProperties":2,"properties":{"a":{},"b":{},"c":{}},"additionalProperties":false}""", """{"a":1,"c":2}""", """{"a":1}""")]
    [InlineData("""{"type":"object","maxProperties":2,"properties":{"a":{},"b":{},"c":{}},"additionalProperties":false}""", """{"b":1,"c":2}""", """{"a":1,"b":1,"c":1}""")]
    [InlineData("""{"type":"object","minProperties":1,"maxProperties":3}""", """{"b":1,"c":2}""", "{}")]
    [InlineData("""{"type":"object","maxProperties":1,"properties":{"a":{}}}""", """{"z":1}""", """{"a":1,"z":1}""")]
    [InlineData("""{"patternProperties":{"^s_":{"type":"string"},"^n":{"type":"number"}},"additionalProperties":{"type":"boolean"}}""", """{"s_1":"","n":1,"x":true}""", """{"s_1":1}""")]
    [InlineData("""{"type":"object","propertyNames":{"pattern":"^[a-z]+$"}}""", """{"abc":1}""", """{"Abc":1}""")]
    [InlineData("""{"type":"object","propertyNames":{"enum":["a","b"]}}""", """{"b":1}""", """{"c":1}""")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"},"A1":{}},"propertyNames":{"pattern":"^[a-z]+$"}}""", """{"a":1}""", """{"A1":1}""")]
    [InlineData("""{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false,"minItems":1}""", """[1]""", """[]""")]
    [InlineData("""{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":{"type":"null"}}""", """[1, "a", null, null]""", """[1, 2]""")]
    [InlineData("""{"type":"array","prefixItems":[{"type":"integer"}],"minItems":3,"maxItems":4}""", """[1, 2, 3, 4]""", """[1, 2]""")]
    [InlineData("""{"type":"array","items":{"type":"integer"},"minItems":3,"maxItems":300}""", """[1, 2, 3, 4]""", """[1, 2]""")]
    [InlineData("""{"type":"array","items":false}""", """[]""", """[1]""")]
    [InlineData("""{"type":"array","uniqueItems":true,"maxItems":1}""", """[1]""", """[1, 1]""")]
    [InlineData("""{"allOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"a":{"minimum":3},"b":{"type":"null"}}}]}""", """{"a":3,"b":null}""", """{"a":2}""")]
    [InlineData("""{"type":"object","dependentRequired":{"b":["a"]},"properties":{"a":{},"b":{}},"additionalProperties":false}""", """{"a":1,"b":1}""", """{"b":1}""")]
    [InlineData("""{"type":"object","dependentSchemas":{"b":{"properties":{"a":{"type":"null"}}}},"properties":{"a":{},"b":{}}}""", """{"a":null,"b":1}""", """{"a":1,"b":1}""")]
    [InlineData("""{"type":["number"],"not":{"type":"integer"}}""", "1.5", "2")]
    [InlineData("""{"type":"integer","not":{"multipleOf":3}}""", "4", "6")]
    [InlineData("""{"type":"integer","not":{"const":10}}""", "100", "10")]
    [InlineData("""{"type":"number","multipleOf":0.01}""", "-1.25", "1.255")]
    [InlineData("""{"type":"integer","multipleOf":7,"minimum":10,"maximum":20}""", "14", "7")]
    [InlineData("""{"type":"number","minimum":-1.5,"maximum":-0.25}""", "-0.25", "-0.2499")]
    [InlineData("""{"type":"number","exclusiveMinimum":0}""", "0.001", "-0.0")]
    [InlineData("""{"type":"string","pattern":"^[a-c]+$","minLength":3,"maxLength":4}""", "\"abca\"", "\"abcab\"")]
    [InlineData("""{"type":"string","pattern":"^(ab)*$","minLength":3}""", "\"abab\"", "\"ab\"")]
    [InlineData("""{"type":"string","maxLength":3,"not":{"enum":["bad"]}}""", "\"ba\"", "\"bad\"")]
    [InlineData("""{"type":"string","minLength":2,"maxLength":300}""", "\"\\ud83d\\ude00x\"", "\"\\ud83d\\ude00\"")]
    [InlineData("""{"type":"string","not":{"pattern":"x"}}""", "\"ab\"", "\"axb\"")]
    [InlineData("""{"type":"object","properties":{"a":{"const":1}},"not":{"required":["b"]}}""", """{"a":1}""", """{"b":1}""")]
    [InlineData("""{"oneOf":[{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},{"type":"object","properties":{"k":{"const":"b"}},"required":["k"]}]}""", """{"k":"b","x":1}""", """{"k":"c"}""")]
    [InlineData("""{"$anchor":"top","type":"array","items":{"$ref":"#top"}}""", "[[], [[]]]", "[1]")]
    [InlineData("""{"enum":[1, "a", [1, {"b": 2.50}], null], "type":["array","integer"]}""", """[1,{"b":2.5}]""", "\"a\"")]
    [InlineData("""{"anyOf":[{"$ref":"#"},{"type":"null"}]}""", "null", "1")]
    public void Keywords_are_enforced(string schema, string valid, string invalid)
    {
        CompiledConstraint constraint = Compile(schema);
        JsonSchemaValidator validator = new(JsonDocument.Parse(schema).RootElement);
        Assert.True(Accepts(constraint, valid));
        Assert.False(Accepts(constraint, invalid));
        if (!schema.Contains("\"$ref\":\"#\"", StringComparison.Ordinal))
        {
            Assert.True(validator.IsValid(JsonDocument.Parse(valid).RootElement));
            Assert.False(validator.IsValid(JsonDocument.Parse(invalid).RootElement));
            for (int seed = 0; seed < RandomWalk.Cases(3); seed++)
            {
                List<int>? tokens = RandomWalk.Run(constraint, Tokenizer, new Random(seed), free: 10 * seed);
                Assert.NotNull(tokens);
                using JsonDocument document = JsonDocument.Parse(RandomWalk.Bytes(Tokenizer, tokens), new() { MaxDepth = 1000 });
                Assert.Empty(validator.Validate(document.RootElement));
            }
        }
    }

    [Theory]
    [InlineData("date", "2024-02-29", "2023-02-29")]
    [InlineData("date", "2000-02-29", "1900-02-29")]
    [InlineData("date", "0004-12-31", "0000-01-01")]
    [InlineData("date-time", "2024-01-31T23:59:59.25+01:00", "2024-01-31 23:59:59Z")]
    [InlineData("time", "00:00:00Z", "24:00:00Z")]
    [InlineData("duration", "P1Y2M3DT4H5M6S", "P")]
    [InlineData("duration", "PT5M", "P1DT")]
    [InlineData("ipv4", "192.168.0.1", "192.168.00.1")]
    [InlineData("ipv6", "1::8", "1:2:3:4:5:6:7:8:9")]
    [InlineData("ipv6", "::ffff:1.2.3.4", "::1.2.3.256")]
    [InlineData("ipv6", "1:2:3:4:5:6:7::", "1::2::3")]
    [InlineData("uuid", "2EB8AA08-AA98-11EA-B4AA-73B441D16380", "2eb8aa08aa9811eab4aa73b441d16380")]
    [InlineData("hostname", "a-b.example.com", "-a.example")]
    [InlineData("email", "joe.bloggs+x@example.com", "joe.@example.com")]
    [InlineData("uri", "https://user@example.com:80/a%20b?q=1#f", "example.com")]
    [InlineData("uri", "urn:isbn:12", "http://a b")]
    [InlineData("uri-reference", "/a/b?c", "a b")]
    [InlineData("json-pointer", "/a~1b/0", "a")]
    [InlineData("relative-json-pointer", "1/a", "/a")]
    public void Formats_are_enforced(string format, string valid, string invalid)
    {
        string schema = $$"""{"type":"string","format":"{{format}}"}""";
        CompiledConstraint constraint = Compile(schema);
        Assert.True(Accepts(constraint, $"\"{valid}\""));
        Assert.False(Accepts(constraint, $"\"{invalid}\""));
        JsonSchemaValidator validator = new(JsonDocument.Parse(schema).RootElement);
        Assert.True(validator.IsValid(JsonSerializer.SerializeToElement(valid)));
        Assert.False(validator.IsValid(JsonSerializer.SerializeToElement(invalid)));
    }

    [Fact]
    public void Host_names_are_bounded()
    {
        CompiledConstraint constraint = Compile("""{"type":"string","format":"hostname"}""");
        Assert.True(Accepts(constraint, $"\"{new string('a', 63)}.b\""));
        Assert.False(Accepts(constraint, $"\"{new string('a', 64)}.b\""));
        string name = string.Join('.', Enumerable.Repeat("abcdefghi", 25));
        Assert.Equal(249, name.Length);
        Assert.True(Accepts(constraint, $"\"{name}.abc\""));
        Assert.False(Accepts(constraint, $"\"{name}.abcd\""));
    }
}
