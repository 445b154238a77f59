using System.Text.Json;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Matching;
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
