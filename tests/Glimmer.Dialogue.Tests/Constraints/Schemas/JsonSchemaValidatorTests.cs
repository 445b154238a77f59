using System.Text.Json;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Constraints.Schemas.Validation;

namespace Glimmer.Dialogue.Tests.Constraints.Schemas;

public sealed class JsonSchemaValidatorTests
{
    private static bool IsValid(string schema, string value) =>
        new JsonSchemaValidator(JsonDocument.Parse(schema).RootElement).IsValid(JsonDocument.Parse(value).RootElement);

    [Theory]
    [InlineData("""{"uniqueItems":true}""", "[1, 2, [1]]", "[1, 2, 1.0]")]
    [InlineData("""{"contains":{"type":"null"},"minContains":2,"maxContains":3}""", "[null, 1, null]", "[null]")]
    [InlineData("""{"contains":{"type":"null"},"maxContains":1}""", "[null]", "[null, null]")]
    [InlineData("""{"properties":{"a":true},"allOf":[{"properties":{"b":true}}],"unevaluatedProperties":false}""", """{"a":1,"b":2}""", """{"a":1,"c":2}""")]
    [InlineData("""{"anyOf":[{"properties":{"a":{"const":1}}},{"properties":{"b":true}}],"unevaluatedProperties":false}""", """{"a":1}""", """{"a":2}""")]
    [InlineData("""{"prefixItems":[true],"contains":{"type":"null"},"unevaluatedItems":false}""", "[1, null]", "[1, 2]")]
    [InlineData("""{"$id":"http://x.test/root","$defs":{"n":{"$id":"node","type":"object","properties":{"c":{"$ref":"node"}}}},"$ref":"node"}""", """{"c":{"c":{}}}""", """{"c":{"c":1}}""")]
    [InlineData("""{"$defs":{"a":{"$anchor":"here","type":"integer"}},"$ref":"#here"}""", "1", "1.5")]
    [InlineData("""{"$id":"http://x.test/t","$ref":"list","$defs":{"s":{"$dynamicAnchor":"item","type":"string"},"list":{"$id":"list","items":{"$dynamicRef":"#item"},"$defs":{"any":{"$dynamicAnchor":"item"}}}}}""", """["a"]""", "[1]")]
    [InlineData("""{"type":"integer"}""", "1e2", "1e-2")]
    [InlineData("""{"type":"integer"}""", "1.0", "1.5")]
    [InlineData("""{"maximum":5}""", "-1e9999", "1e9999")]
    [InlineData("""{"multipleOf":0.01}""", "19.99", "19.999")]
    [InlineData("""{"const":{"a":1,"b":[2]}}""", """{"b":[2.0],"a":1}""", """{"b":[2]}""")]
    [InlineData("""{"pattern":"^[^x]{2}$"}""", "\"👍a\"", "\"👍\"")]
    [InlineData("""{"maxLength":1}""", "\"👍\"", "\"ab\"")]
    [InlineData("""{"if":{"type":"integer"},"then":{"minimum":3},"else":{"type":"string"}}""", "3", "2")]
    [InlineData("""{"propertyNames":{"maxLength":1}}""", """{"a":1}""", """{"ab":1}""")]
    public void Keywords_are_checked(string schema, string valid, string invalid)
    {
        Assert.True(IsValid(schema, valid));
        Assert.False(IsValid(schema, invalid));
    }

    [Fact]
    public void Violations_say_where_and_what()
    {
        JsonSchemaValidator validator = new(JsonDocument.Parse("""{"properties":{"a/b":{"items":{"minimum":3}}},"required":["c"]}""").RootElement);
        IReadOnlyList<SchemaViolation> violations = validator.Validate(JsonDocument.Parse("""{"a/b":[4,2]}""").RootElement);
        Assert.Equal(["required", "minimum"], violations.Select(v => v.Keyword));
        Assert.Equal("/a~1b/1", violations[1].InstancePointer);
    }

    [Theory]
    [InlineData("""{"$ref":"#"}""")]
    [InlineData("""{"$ref":"http://example.com/"}""")]
    [InlineData("""{"$ref":"#/none"}""")]
    [InlineData("""{"type":"none"}""")]
    [InlineData("""{"pattern":"("}""")]
    public void Wrong_schemas_are_errors(string schema) => Assert.Throws<JsonSchemaException>(() => IsValid(schema, "\"x\""));
}
