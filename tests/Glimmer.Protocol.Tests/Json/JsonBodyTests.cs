using System.Text;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Tests.Json;

public sealed class JsonBodyTests
{
    [Theory]
    [InlineData("", "empty")]
    [InlineData(" \n ", "empty")]
    [InlineData("{", "malformed at line 1")]
    [InlineData("{\"a\":1,}", "malformed")]
    [InlineData("{\n\"a\":,\n}", "line 2")]
    [InlineData("[1]", "not an object")]
    [InlineData("null", "not an object")]
    [InlineData("model=glm", "malformed")]
    public void What_is_not_an_object_is_refused_with_the_place(string text, string part)
    {
        (JsonBody? body, PlatformError? error) = JsonBody.Parse(Encoding.UTF8.GetBytes(text));
        Assert.Null(body);
        Assert.Equal(BusinessCode.CallIncorrect, error!.Code);
        Assert.Contains(part, error.Message);
    }

    [Fact]
    public void Depth_is_bounded()
    {
        string deep = string.Concat(Enumerable.Repeat("{\"a\":", 200)) + "1" + new string('}', 200);
        Assert.Contains("deeper than 64", JsonBody.Parse(Encoding.UTF8.GetBytes(deep)).Error!.Message);
        string open = "{\"a\":" + new string('[', 1_000_000);
        Assert.NotNull(JsonBody.Parse(Encoding.UTF8.GetBytes(open)).Error);
    }

    [Fact]
    public void The_number_of_values_is_bounded()
    {
        static string List(int count) => "{\"messages\":[" + string.Join(',', Enumerable.Repeat("{}", count)) + "]}";
        Assert.Contains("more than 2000000 values", JsonBody.Parse(Encoding.UTF8.GetBytes(List(1_000_000))).Error!.Message);
        FieldReader root = Root(List(100_000));
        Assert.Null(root.Objects("messages", "x"));
        Assert.Contains("at most 65536", root.Error!.Message);
    }

    [Theory]
    [InlineData("{}", System.Text.Json.JsonTokenType.StartObject)]
    [InlineData(" {\"a\":[1,{}]} ", System.Text.Json.JsonTokenType.StartObject)]
    [InlineData("null", System.Text.Json.JsonTokenType.Null)]
    [InlineData("[]", System.Text.Json.JsonTokenType.StartArray)]
    [InlineData("{} {}", System.Text.Json.JsonTokenType.None)]
    [InlineData("{\"a\":}", System.Text.Json.JsonTokenType.None)]
    [InlineData("", System.Text.Json.JsonTokenType.None)]
    [InlineData("{", System.Text.Json.JsonTokenType.None)]
    public void Syntax_is_checked_to_the_end(string text, System.Text.Json.JsonTokenType kind) =>
        Assert.Equal(kind, JsonSyntax.KindOf(text));

    [Fact]
    public void Bytes_that_are_not_utf8_are_refused_and_a_mark_is_skipped()
    {
        byte[] latin = [.. "{\"a\":\""u8, 0xE9, .. "\"}"u8];
        Assert.Contains("UTF-8", JsonBody.Parse(latin).Error!.Message);
        Assert.Null(JsonBody.Parse("\uFEFF{}"u8.ToArray()).Error);
        Assert.NotNull(JsonBody.Parse(Encoding.Unicode.GetBytes("{\"a\":1}")).Error);
    }

    [Theory]
    [InlineData(@"a\ud83dz", "a\uFFFDz")]
    [InlineData(@"\ud83d\ude00", "😀")]
    [InlineData(@"\ude00\ud83d", "\uFFFD\uFFFD")]
    [InlineData(@"\ud83d\ud83d\ude00", "\uFFFD😀")]
    [InlineData(@"\\ud83d", @"\ud83d")]
    [InlineData(@"\\\ud83d", "\\\uFFFD")]
    [InlineData(@"\ud83d\n", "\uFFFD\n")]
    [InlineData(@"\uD83D\u0041", "\uFFFDA")]
    public void Halves_of_surrogate_pairs_become_the_replacement_character(string escaped, string expected)
    {
        (JsonBody? body, PlatformError? error) = JsonBody.Parse(Encoding.UTF8.GetBytes($"{{\"{escaped}k\":\"{escaped}\"}}"));
        Assert.Null(error);
        Assert.Equal(expected, body!.Root.Text(expected + "k"));
        body.Dispose();
    }

    [Fact]
    public void The_last_of_equal_keys_counts_and_null_is_absent()
    {
        FieldReader root = Root("""{"a":1,"a":"x","b":null}""");
        Assert.Equal("x", root.Text("a"));
        Assert.False(root.Has("b"));
        Assert.Null(root.Text("b"));
        Assert.Null(root.Error);
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("\"True\"", true)]
    [InlineData("\"false\"", false)]
    [InlineData("\"FALSE\"", false)]
    [InlineData("null", null)]
    [InlineData("1", null)]
    [InlineData("\"yes\"", null)]
    public void Flags_may_be_words(string json, bool? expected)
    {
        FieldReader root = Root($"{{\"stream\":{json}}}");
        Assert.Equal(expected, root.Flag("stream"));
        Assert.Equal(expected is null && json != "null", root.Error is not null);
    }

    [Theory]
    [InlineData("5", 5L)]
    [InlineData("\"5\"", 5L)]
    [InlineData("5.0", 5L)]
    [InlineData("1e1", 10L)]
    [InlineData("5.5", null)]
    [InlineData("\"\"", null)]
    [InlineData("1e400", null)]
    [InlineData("\"NaN\"", null)]
    [InlineData("99999999999999999999", null)]
    [InlineData("[5]", null)]
    [InlineData("true", null)]
    [InlineData("11", null)]
    public void Whole_numbers_may_be_strings_and_have_a_range(string json, long? expected)
    {
        FieldReader root = Root($"{{\"n\":{json}}}");
        Assert.Equal(expected, root.Whole("n", 0, 10));
        if (expected is null)
        {
            Assert.Equal("n", root.Error!.Field);
            Assert.Contains("from 0 to 10", root.Error.Message);
        }
    }

    [Fact]
    public void The_path_leads_to_the_field()
    {
        FieldReader root = Root("""{"a":[{},{"b":{"c":7}}]}""");
        FieldReader inner = root.Objects("a", "x")![1].Object("b", "x")!.Value;
        Assert.Null(inner.Text("c"));
        Assert.Equal("a[1].b.c", root.Error!.Field);
        Assert.Contains("a[1].b.c", root.Error.Message);
        Assert.Contains("7", root.Error.Message);
    }

    [Fact]
    public void Only_the_first_error_stays_and_later_reads_give_nothing()
    {
        FieldReader root = Root("""{"a":[],"b":"text"}""");
        root.Text("a");
        Assert.Null(root.Text("b"));
        Assert.Equal("a", root.Error!.Field);
    }

    [Fact]
    public void Messages_never_quote_a_long_text()
    {
        FieldReader root = Root($$"""{"n":"{{new string('x', 5000)}}"}""");
        root.Number("n", 0, 1);
        Assert.True(root.Error!.Message.Length < 200);
    }

    [Fact]
    public void What_is_written_is_read_back_and_only_the_needful_is_escaped()
    {
        var random = new Random(3);
        for (int i = 0; i < 500; i++)
        {
            char[] text = new char[random.Next(300)];
            for (int at = 0; at < text.Length; at++)
                text[at] = random.Next(5) == 0 ? (char)random.Next(0xD7F0, 0xE010) : (char)random.Next(random.Next(2) == 0 ? 0x100 : 0x3000);
            using var stream = new MemoryStream();
            using (var json = new System.Text.Json.Utf8JsonWriter(stream, WireJson.WriterOptions))
            {
                json.WriteStartObject();
                json.WriteString("t", text);
                json.WriteEndObject();
            }

            string expected = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            Assert.Equal(expected, Root(Encoding.UTF8.GetString(stream.ToArray())).Text("t"));
        }
    }

    private static FieldReader Root(string json)
    {
        (JsonBody? body, PlatformError? error) = JsonBody.Parse(Encoding.UTF8.GetBytes(json));
        Assert.Null(error);
        return body!.Root;
    }
}
