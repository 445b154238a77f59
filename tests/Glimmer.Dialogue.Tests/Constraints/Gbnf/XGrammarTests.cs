using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Gbnf;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Testing;

namespace Glimmer.Dialogue.Tests.Constraints.Gbnf;

/// <summary>The engine that vLLM and SGLang follow grammars with reads ours as this side does.</summary>
public sealed class XGrammarTests
{
    private const string Variable = "GLIMMER_WEB_XGRAMMAR";

    [Fact]
    public async Task A_real_xgrammar_says_of_every_text_what_the_constraint_says()
    {
        string? library = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrEmpty(library), $"Set {Variable} to lib/index.js of the npm package @mlc-ai/web-xgrammar to run this; it needs node.");
        string grammars = Path.GetTempFileName();
        await File.WriteAllLinesAsync(grammars, Rows().Select(row => JsonSerializer.Serialize(new { name = row.Name, grammar = row.Grammar, valid = row.Valid, invalid = row.Invalid })), TestContext.Current.CancellationToken);
        ProcessStartInfo start = new("node") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])[Path.Combine(Fixtures.RepositoryRoot, "scripts", "xgrammar.mjs"), library!, grammars])
            start.ArgumentList.Add(argument);
        using Process node = Process.Start(start)!;
        Task<string> errors = node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string said = await node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        File.Delete(grammars);
        Assert.True(node.ExitCode == 0, said + await errors);
    }

    private static IEnumerable<(string Name, string Grammar, IEnumerable<string> Valid, IEnumerable<string> Invalid)> Rows()
    {
        foreach (SchemaRow row in SchemaRow.All)
        {
            CompiledConstraint? compiled = null;
            try
            {
                compiled = GbnfWriterTests.Compiler.JsonSchema(row.Schema, strict: true, AnswerPreamble.None).Constraint;
            }
            catch (JsonSchemaException)
            {
                // Schemas that no value satisfies, or that are none, have no grammar.
            }

            if (compiled?.ToGbnf(GbnfDialect.XGrammar) is { } grammar)
                yield return (row.Name, grammar, row.Valid.Where(text => compiled.AcceptsText(Encoding.UTF8.GetBytes(text))), row.Invalid);
        }

        foreach ((string generation, string valid, string invalid) in new[]
        {
            ("glm-4.7", "<tool_call>get_weather<arg_key>unit</arg_key><arg_value>f</arg_value><arg_key>n</arg_key><arg_value>12</arg_value><arg_key>city</arg_key><arg_value> 智\n\"y\" < </arg_value></tool_call>", "<tool_call>get_weather<arg_key>n</arg_key><arg_value>12</arg_value></tool_call>"),
            ("glm-4.5", "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>", "get_weather"),
            ("glm-4-0414", "get_weather\n{\"city\": \"Paris\"}", "get_weather\n{}"),
        })
        {
            yield return (generation, GbnfWriterTests.Calls(generation, GbnfWriterTests.Weather).ToGbnf(GbnfDialect.XGrammar)!, [valid], [invalid]);
        }

        foreach ((string pattern, string valid, string invalid) in new[] { ("(yes|no), [0-9]{3}", "yes, 123", "yes, 12"), (@"[^a-c\]\-]+x?", "zé智🙂x", "a"), (@"\d{4}-\d\d", "2024-01", "2024-1") })
            yield return (pattern, GbnfWriterTests.Compiler.Regex(pattern, AnswerPreamble.None).ToGbnf(GbnfDialect.XGrammar)!, [valid], [invalid]);
    }
}
