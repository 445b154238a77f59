using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Matching;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Constraints.Tools;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Constraints;

/// <summary>
/// Makes constraints for one vocabulary. There is one compiler per loaded tokenizer; it keeps the vocabulary's prefix tree and the
/// constraints made last, and is safe for use by several threads.
/// </summary>
public sealed class ConstraintCompiler
{
    /// <summary>Compiled constraints kept for later requests.</summary>
    public const int CachedConstraints = 64;

    private readonly VocabularyMasks _vocabulary;
    private readonly HashSet<int> _stopTokens;
    private readonly ConstraintCache _cache = new(CachedConstraints);

    /// <summary>Reads the vocabulary; takes some tenths of a second for a large one.</summary>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="stopTokens">Ids that end a turn. They are allowed exactly where an answer is complete.</param>
    public ConstraintCompiler(ITokenizer tokenizer, IReadOnlyCollection<int> stopTokens)
    {
        foreach (int stop in stopTokens)
        {
            if (stop < 0 || stop >= tokenizer.VocabularySize)
                throw new ArgumentOutOfRangeException(nameof(stopTokens), stop, $"The vocabulary has ids 0 to {tokenizer.VocabularySize - 1}.");
        }

        if (stopTokens.Count == 0)
            throw new ArgumentException("At least one id must end a turn.", nameof(stopTokens));
        _vocabulary = new VocabularyMasks(tokenizer);
        _vocabulary.Prepare();
        _stopTokens = [.. stopTokens];
    }

    /// <summary>Words of a mask of this vocabulary.</summary>
    public int MaskWords => _vocabulary.Trie.MaskWords;

    /// <summary>
    /// JSON mode: exactly one JSON object, nested at most <see cref="MaxNesting"/> deep, with bounded white space.
    /// </summary>
    public CompiledConstraint JsonObject(AnswerPreamble preamble) =>
        _cache.GetOrAdd(("json_object", preamble, ""), () => Done(TextGrammar.JsonObject, preamble)).Constraint!;

    /// <summary>Exactly one JSON text that satisfies a schema (draft 2020-12), keys in the order of the schema.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="strict">Whether a keyword that cannot be enforced is an error rather than a relaxation.</param>
    /// <param name="preamble">What may come before the text.</param>
    /// <exception cref="JsonSchemaException">The schema is wrong, too large, or no value can satisfy it.</exception>
    public SchemaCompilation JsonSchema(JsonElement schema, bool strict, AnswerPreamble preamble) =>
        _cache.GetOrAdd((strict ? "strict" : "schema", preamble, schema.GetRawText()), () => CompileSchema(schema, strict, preamble));

    /// <summary>A text that a regular expression matches from end to end.</summary>
    /// <exception cref="GrammarSyntaxException">Not well formed, not regular, or too complex.</exception>
    public CompiledConstraint Regex(string pattern, AnswerPreamble preamble) =>
        _cache.GetOrAdd(("regex", preamble, pattern), () => Done(TextGrammar.Regex(pattern), preamble)).Constraint!;

    /// <summary>A text of a grammar in GBNF notation.</summary>
    /// <exception cref="GrammarSyntaxException">Not well formed, left-recursive, too large, or without any text.</exception>
    public CompiledConstraint Gbnf(string grammar, AnswerPreamble preamble) =>
        _cache.GetOrAdd(("gbnf", preamble, grammar), () => Done(TextGrammar.Gbnf(grammar), preamble)).Constraint!;

    /// <summary>
    /// Turns with tool calls: well-formed calls of the tools offered, arguments typed by their schemas in any order, each at most once. The turn
    /// ends with the token that asks for results when calls were made.
    /// </summary>
    /// <param name="layout">How calls are spelled; must not be of a generation without calls.</param>
    /// <param name="demand">Tools and mode. Tools with <c>strict: true</c> may not use keywords that cannot be enforced.</param>
    /// <param name="preamble">What may come before.</param>
    /// <exception cref="JsonSchemaException">A tool's schema is wrong, or no arguments can satisfy it.</exception>
    public SchemaCompilation Tools(ToolCallLayout layout, ToolCallDemand demand, AnswerPreamble preamble)
    {
        if (demand.Tools.Count == 0)
            throw new ArgumentException("At least one tool must be offered.", nameof(demand));
        if (layout.Syntax == ToolCallSyntax.None)
            throw new ArgumentException("This generation makes no tool calls.", nameof(layout));
        StringBuilder key = new();
        key.Append(layout).Append('\n').Append(demand.FirstIndex).Append(demand.Mode).Append(demand.Parallel).Append('\n').Append(demand.AnswerKey.Length).Append(demand.AnswerKey);
        foreach (ToolDefinition tool in demand.Tools)
            key.Append('\n').Append(tool.Name.Length).Append(tool.Name).Append(tool.Json.GetRawText());
        return _cache.GetOrAdd(("tools", preamble, key.ToString()), () => CompileTools(layout, demand, preamble));
    }

    /// <summary>Deepest nesting that any constraint can produce.</summary>
    public const int MaxNesting = GrammarMachine.MaxDepth - 8;

    private SchemaCompilation CompileSchema(JsonElement schema, bool strict, AnswerPreamble preamble)
    {
        TextGrammar grammar = TextGrammar.JsonSchema(schema, out IReadOnlyList<UnsupportedKeyword> unsupported);
        return strict && unsupported.Count > 0 ? new(null, unsupported) : Done(grammar, preamble) with { Unsupported = unsupported };
    }

    private SchemaCompilation CompileTools(ToolCallLayout layout, ToolCallDemand demand, AnswerPreamble preamble)
    {
        ToolGrammar tools = new(layout, demand);
        Expression turn = tools.Build(_stopTokens);
        if (tools.Errors.Count > 0)
            return new(null, tools.Errors);
        return new(new CompiledConstraint(_vocabulary, preamble, turn, _stopTokens), tools.Unsupported);
    }

    private SchemaCompilation Done(TextGrammar answer, AnswerPreamble preamble) =>
        new(new CompiledConstraint(_vocabulary, preamble, answer.Root, _stopTokens), []);
}
