using System.Text.Json;
using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Gbnf;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Matching;
using Glimmer.Dialogue.Constraints.Patterns;
using Glimmer.Dialogue.Constraints.Schemas;

namespace Glimmer.Dialogue.Constraints;

/// <summary>A grammar of texts, before it meets a vocabulary: for tools, for checks, and as what constraints are made from.</summary>
public sealed class TextGrammar
{
    private readonly Lazy<GrammarMachine> _machine;

    private TextGrammar(Expression root)
    {
        Root = root;
        Compiled = Grammar.Compile(root);
        _machine = new(() => new GrammarMachine(Compiled));
    }

    /// <summary>One JSON object.</summary>
    public static TextGrammar JsonObject { get; } = new(JsonGrammar.Text(JsonValues.Any.Object));

    internal Expression Root { get; }

    private Grammar Compiled { get; }

    /// <summary>One JSON text that satisfies a schema (draft 2020-12), keys in the order of the schema.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="unsupported">Keywords that the grammar does not enforce.</param>
    /// <exception cref="JsonSchemaException">The schema is wrong, too large, or no value can satisfy it.</exception>
    public static TextGrammar JsonSchema(JsonElement schema, out IReadOnlyList<UnsupportedKeyword> unsupported)
    {
        try
        {
            SchemaGrammar grammar = new(new SchemaDocument(schema), JsonValues.Any, new SchemaReport());
            Expression value = grammar.ValueOf([grammar.Document.RootNode]);
            grammar.Finish();
            unsupported = grammar.Report.Keywords;
            TextGrammar text = new(JsonGrammar.Text(value));
            if (text.Compiled.IsEmpty)
                throw new JsonSchemaException("", "No value can satisfy this schema");
            return text;
        }
        catch (GrammarException e)
        {
            throw new JsonSchemaException("", $"The schema cannot be compiled: {e.Message}");
        }
    }

    /// <summary>The texts that a regular expression matches from end to end.</summary>
    /// <param name="pattern">ECMA-262, without look-around, back-references, word boundaries and flags.</param>
    /// <exception cref="GrammarSyntaxException">Not well formed, not regular, or too complex.</exception>
    public static TextGrammar Regex(string pattern)
    {
        try
        {
            CodePointDfa language = RegexCompiler.WholeText(RegexParser.Parse(pattern));
            return language.IsEmpty
                ? throw new GrammarSyntaxException("no text matches this expression", 1, 1)
                : new(Expression.Of(new TextTerminal(language, TextEncoding.Raw)));
        }
        catch (RegexSyntaxException e)
        {
            throw GbnfParser.Error(pattern, e.Position, e.Problem);
        }
        catch (AutomatonTooLargeException e)
        {
            throw new GrammarSyntaxException($"the expression is too complex: {e.Message}", 1, 1);
        }
    }

    /// <summary>The texts of a grammar in GBNF notation, from its rule <c>root</c>.</summary>
    /// <param name="grammar">The rules.</param>
    /// <exception cref="GrammarSyntaxException">Not well formed, left-recursive, too large, or without any text.</exception>
    public static TextGrammar Gbnf(string grammar)
    {
        try
        {
            TextGrammar text = new(GbnfCompiler.Compile(grammar));
            return text.Compiled.IsEmpty ? throw new GrammarSyntaxException("no text is complete under this grammar", 1, 1) : text;
        }
        catch (GrammarException e)
        {
            throw new GrammarSyntaxException(e.Message, 1, 1);
        }
    }

    /// <summary>Whether a text is complete under the grammar.</summary>
    /// <param name="text">UTF-8.</param>
    public bool Accepts(ReadOnlySpan<byte> text) => Follow(text).CanEnd;

    /// <summary>Whether some complete text begins so.</summary>
    /// <param name="text">UTF-8, possibly cut within a character.</param>
    public bool AcceptsPrefix(ReadOnlySpan<byte> text) => !Follow(text).IsDead;

    private MatchState Follow(ReadOnlySpan<byte> text)
    {
        MatchState state = _machine.Value.Start;
        foreach (byte b in text)
        {
            state = state.Next(b);
            if (state.IsDead)
                break;
        }

        return state;
    }
}
