using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Constraints.Tools;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Prompting;

/// <summary>Turns what a request demands of the answer's form into a constraint on its tokens.</summary>
internal sealed class AnswerConstraints
{
    private const string SchemaField = "response_format.json_schema.schema";
    private readonly GrammarTag _open;
    private readonly GrammarTag _close;
    private readonly ToolCallLayout _layout;
    private readonly string _code;
    private readonly Lazy<ConstraintCompiler> _compiler;

    /// <summary>The constraints of a model's vocabulary; its tables are made when first needed.</summary>
    /// <param name="code">Code of the model, for errors.</param>
    /// <param name="generation">How the model writes.</param>
    /// <param name="tokenizer">Its vocabulary.</param>
    /// <param name="stopTokens">Ids that end its turn, at least one.</param>
    public AnswerConstraints(string code, Generation generation, ITokenizer tokenizer, IReadOnlyCollection<int> stopTokens)
    {
        _code = code;
        _open = GrammarTag.Find(tokenizer, "<think>");
        _close = GrammarTag.Find(tokenizer, "</think>");
        _layout = ToolCallLayout.Of(generation.Output, tokenizer);
        _compiler = new Lazy<ConstraintCompiler>(() => new ConstraintCompiler(tokenizer, [.. stopTokens]));
    }

    /// <summary>The constraint of a request; null for none.</summary>
    /// <param name="request">The request.</param>
    /// <param name="tools">Tools offered to the model.</param>
    /// <param name="start">Where the generation begins.</param>
    /// <param name="relaxations">What the request's schemas demand and the constraint does not enforce.</param>
    /// <param name="error">Why the demand can't be met, when it can't.</param>
    public ITokenConstraint? For(
        ChatRequest request, IReadOnlyList<ToolDefinition> tools, OutputStart start, out IReadOnlyList<Relaxation> relaxations, out PlatformError? error)
    {
        relaxations = [];
        bool mustCall = request.ToolChoice.Mode is ToolChoiceMode.Required or ToolChoiceMode.Named;
        AnswerFormat format = request.Format;
        error = format switch
        {
            { Kind: AnswerFormatKind.JsonSchema, Schema: null } => new PlatformError(BusinessCode.ParameterMissing, "response_format of type 'json_schema' needs a schema.", SchemaField),
            { Kind: AnswerFormatKind.Regex, Source: null } => new PlatformError(BusinessCode.ParameterMissing, "response_format of type 'regex' needs an expression.", FieldOf(format)),
            { Kind: AnswerFormatKind.Grammar, Source: null } => new PlatformError(BusinessCode.ParameterMissing, "response_format of type 'grammar' needs a grammar.", FieldOf(format)),
            _ => null,
        };
        if (error is not null)
            return null;

        string field = FieldOf(format);
        try
        {
            SchemaCompilation compiled;
            List<UnsupportedKeyword> answerRelaxed = [];
            if (mustCall || (tools.Count > 0 && (format.Kind != AnswerFormatKind.Text || tools.Any(tool => tool.IsStrict))))
            {
                if (Demand(request, tools, mustCall, answerRelaxed, out error) is not { } demand)
                    return null;
                field = "tools";
                compiled = _compiler.Value.Tools(_layout, demand, Preamble(start));
            }
            else
            {
                switch (format.Kind)
                {
                    case AnswerFormatKind.Text:
                        return null;
                    case AnswerFormatKind.JsonObject:
                        return _compiler.Value.JsonObject(Preamble(start)).Start();
                    case AnswerFormatKind.Regex:
                        return _compiler.Value.Regex(format.Source!, Preamble(start)).Start();
                    case AnswerFormatKind.Grammar:
                        return _compiler.Value.Gbnf(format.Source!, Preamble(start)).Start();
                    default:
                        compiled = _compiler.Value.JsonSchema(format.Schema!.Value, format.Strict, Preamble(start));
                        break;
                }
            }

            if (!compiled.Succeeded)
                error = CannotEnforce(compiled.Unsupported, field);
            relaxations = [.. answerRelaxed.Concat(compiled.Unsupported).Select(keyword => new Relaxation(keyword.Pointer, keyword.Keyword))];
            return compiled.Constraint?.Start();
        }
        catch (JsonSchemaException fault)
        {
            // A tool's own message already says where in its parameters.
            error = PlatformError.Invalid(field, field == SchemaField ? fault.Message : fault.Problem, "Send a valid JSON schema");
            return null;
        }
        catch (GrammarSyntaxException fault)
        {
            error = PlatformError.Invalid(field, fault.Message, format.Kind == AnswerFormatKind.Regex ? "Send a valid regular expression" : "Send a valid grammar in GBNF notation");
            return null;
        }
    }

    private static string FieldOf(AnswerFormat format) => format.Kind switch
    {
        AnswerFormatKind.Regex => "response_format.regex",
        AnswerFormatKind.Grammar => "response_format.grammar",
        _ => SchemaField,
    };

    private ToolCallDemand? Demand(ChatRequest request, IReadOnlyList<ToolDefinition> tools, bool mustCall, List<UnsupportedKeyword> relaxed, out PlatformError? error)
    {
        error = null;
        int firstIndex = 0;
        if (_layout.Syntax == ToolCallSyntax.None)
            error = new PlatformError(BusinessCode.ModelUnsupported, $"The model {_code} can't call tools.", "tools");
        else if (tools.Count == 0)
            error = new PlatformError(BusinessCode.ParametersConflict, "tool_choice demands a call, but no tools are offered.", "tool_choice");
        if (request.ToolChoice.Mode == ToolChoiceMode.Named)
        {
            string? name = request.ToolChoice.Name;
            firstIndex = Math.Max(0, tools.ToList().FindIndex(tool => tool.Name == name));
            tools = [.. tools.Where(tool => tool.Name == name).Take(1)];
            if (tools.Count == 0)
                error ??= new PlatformError(BusinessCode.ParameterInvalid, $"tool_choice names the function '{name}', which is not among the tools.", "tool_choice.function.name");
        }

        TextGrammar? answer = null;
        string key = "";
        if (error is null && !mustCall)
            (answer, key) = Answer(request.Format, relaxed, out error);
        return error is not null
            ? null
            : new ToolCallDemand
            {
                Tools = tools,
                FirstIndex = firstIndex,
                Mode = mustCall ? ToolCallMode.Required : ToolCallMode.Auto,
                Parallel = request.ParallelToolCalls,
                Answer = answer,
                AnswerKey = key,
            };
    }

    private static (TextGrammar? Answer, string Key) Answer(AnswerFormat format, List<UnsupportedKeyword> relaxed, out PlatformError? error)
    {
        error = null;
        if (format.Kind == AnswerFormatKind.JsonObject)
            return (TextGrammar.JsonObject, "object");
        if (format.Kind == AnswerFormatKind.Regex)
            return (TextGrammar.Regex(format.Source!), $"regex {format.Source}");
        if (format.Kind == AnswerFormatKind.Grammar)
            return (TextGrammar.Gbnf(format.Source!), $"gbnf {format.Source}");
        if (format.Schema is not { } schema)
            return (null, "");
        TextGrammar answer = TextGrammar.JsonSchema(schema, out IReadOnlyList<UnsupportedKeyword> unsupported);
        if (format.Strict && unsupported.Count > 0)
            error = CannotEnforce(unsupported, SchemaField);
        relaxed.AddRange(unsupported);
        return (answer, $"schema {schema.GetRawText()}");
    }

    private static PlatformError CannotEnforce(IReadOnlyList<UnsupportedKeyword> unsupported, string field) => new(
        BusinessCode.ParameterInvalid,
        $"The parameter {field} has a schema that can't be enforced: {string.Join("; ", unsupported)}. Leave these keywords out or set strict to false.",
        field);

    private AnswerPreamble Preamble(OutputStart start) => new(
        start switch
        {
            OutputStart.Reasoning => AnswerStart.Reasoning,
            OutputStart.ThinkPending => AnswerStart.ThinkPending,
            _ => AnswerStart.Content,
        },
        _open,
        _close);
}
