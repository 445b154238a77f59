using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Tests.Rendering;

public sealed class PythonJsonTests
{
    [Theory]
    [InlineData(0.0, "0.0")]
    [InlineData(-0.0, "-0.0")]
    [InlineData(1.0, "1.0")]
    [InlineData(-1.5, "-1.5")]
    [InlineData(0.1, "0.1")]
    [InlineData(100.0, "100.0")]
    [InlineData(123456.789, "123456.789")]
    [InlineData(1e15, "1000000000000000.0")]
    [InlineData(1e16, "1e+16")]
    [InlineData(1.2345678901234568e20, "1.2345678901234568e+20")]
    [InlineData(1e22, "1e+22")]
    [InlineData(1e-4, "0.0001")]
    [InlineData(1e-5, "1e-05")]
    [InlineData(1.5e-7, "1.5e-07")]
    [InlineData(5e-324, "5e-324")]
    [InlineData(1.7976931348623157e308, "1.7976931348623157e+308")]
    [InlineData(6.02e23, "6.02e+23")]
    [InlineData(12345678901234567.0, "1.2345678901234568e+16")]
    [InlineData(9007199254740993.0, "9007199254740992.0")]
    [InlineData(double.PositiveInfinity, "Infinity")]
    [InlineData(double.NegativeInfinity, "-Infinity")]
    [InlineData(double.NaN, "NaN")]
    public void Floats_print_as_Pythons_repr(double value, string expected) => Assert.Equal(expected, PythonJson.Float(value));

    [Fact]
    public void Floats_read_back_to_themselves() => Fuzz.Run(2000, random =>
    {
        double value = BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue));
        if (double.IsFinite(value))
            Assert.Equal(value, double.Parse(PythonJson.Float(value)));
    });

    [Theory]
    [InlineData("1E5", "100000.0")]
    [InlineData("1.50", "1.5")]
    [InlineData("-0", "0")]
    [InlineData("-0.0", "-0.0")]
    [InlineData("1e400", "Infinity")]
    [InlineData("-1e400", "-Infinity")]
    [InlineData("123456789012345678901234567890", "123456789012345678901234567890")]
    public void Numbers_print_as_Python_prints_them_after_parsing(string json, string expected) =>
        Assert.Equal(expected, PythonJson.Number(Encoding.ASCII.GetBytes(json)));

    [Theory]
    [InlineData("""{ "a" :1,"b":[ true,null , {}],"c":[]}""", """{"a": 1, "b": [true, null, {}], "c": []}""")]
    [InlineData("""{"a":1,"b":2,"a":3}""", """{"a": 3, "b": 2}""")]
    [InlineData("\"\\u00e9\\/<>&'\\u2028\\u007f\"", "\"é/<>&'\u2028\u007f\"")]
    [InlineData("\"\\u0001\\b\\f\\n\\r\\t\\\\\\\"\"", "\"\\u0001\\b\\f\\n\\r\\t\\\\\\\"\"")]
    [InlineData("\"\\ud83d\\ude00 \\ud83d \\ude00x\"", "\"😀 \uFFFD \uFFFDx\"")]
    [InlineData("{\"\\ud83d\":1}", "{\"\uFFFD\": 1}")]
    public void Values_print_as_json_dumps_does(string json, string expected) => Assert.Equal(expected, PythonJson.Write(Parse(json)));

    [Fact]
    public void Many_repeated_names_keep_the_first_place_and_the_last_value()
    {
        string json = "{" + string.Join(",", Enumerable.Range(0, 40).Select(i => $"\"k{i % 20}\":{i}")) + "}";
        Assert.Equal("{" + string.Join(", ", Enumerable.Range(0, 20).Select(i => $"\"k{i}\": {i + 20}")) + "}", PythonJson.Write(Parse(json)));
    }

    [Fact]
    public void Indented_form_breaks_after_every_part_but_in_empty_ones() => Assert.Equal(
        "{\n    \"a\": [\n        1,\n        {}\n    ],\n    \"b\": []\n}",
        PythonJson.WriteIndented(Parse("""{"a":[1,{}],"b":[]}"""), 4));

    [Theory]
    [InlineData("\u001c\u001d\u001e\u001f\u0085\u00a0\u2003\u3000\u2028x\u202f", "x")]
    [InlineData("\u200bx\u180e", "\u200bx\u180e")]
    [InlineData("\ufeffx", "\ufeffx")]
    [InlineData(" \n\t", "")]
    public void Strip_takes_what_Python_calls_white_space(string text, string expected) =>
        Assert.Equal(expected, PythonText.Strip(text.AsMemory()).ToString());

    private static JsonElement Parse(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
