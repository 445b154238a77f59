using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Engine.Packages;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Embedded;

/// <summary>Turns what a request demands of the answer's form into a constraint on its tokens.</summary>
internal sealed class AnswerConstraints
{
    private const string SchemaField = "response_format.json_schema.schema";
    private readonly GrammarTag _open;
    private readonly GrammarTag _close;
    private readonly Lazy<ConstraintCompiler> _compiler;

    /// <summary>The constraints of a model's vocabulary; its tables are made when first needed.</summary>
    public AnswerConstraints(ModelPackage package)
    {
        _open = GrammarTag.Find(package.Tokenizer, "<think>");
        _close = GrammarTag.Find(package.Tokenizer, "</think>");
        _compiler = new Lazy<ConstraintCompiler>(() => new ConstraintCompiler(package.Tokenizer, [.. package.StopTokens]));
    }

    /// <summary>The constraint of a request; null for none.</summary>
    /// <param name="request">The request.</param>
    /// <param name="tools">Tools offered to the model.</param>
    /// <param name="start">Where the generation begins.</param>
    /// <param name="error">Why the demand can't be met, when it can't.</param>
    public ITokenConstraint? For(ChatRequest request, IReadOnlyList<ToolDefinition> tools, OutputStart start, out PlatformError? error)
    {
        error = null;
        if (request.ToolChoice.Mode is ToolChoiceMode.Required or ToolChoiceMode.Named)
        {
            error = new PlatformError(BusinessCode.ParameterInvalid, "tool_choice can be 'auto' or 'none' with this model.", "tool_choice");
            return null;
        }

        if (request.Format.Kind == AnswerFormatKind.Text)
            return null;
        // With tools on offer the model may call one instead of answering.
        if (tools.Count > 0)
        {
            error = new PlatformError(BusinessCode.ParametersConflict, "response_format can't be combined with tools; leave out one of them or set tool_choice to 'none'.", "response_format");
            return null;
        }

        return request.Format.Kind == AnswerFormatKind.JsonObject
            ? _compiler.Value.JsonObject(Preamble(start)).Start()
            : Schema(request.Format, start, out error);
    }

    private ITokenConstraint? Schema(AnswerFormat format, OutputStart start, out PlatformError? error)
    {
        if (format.Schema is not { } schema)
        {
            error = new PlatformError(BusinessCode.ParameterMissing, "response_format of type 'json_schema' needs a schema.", SchemaField);
            return null;
        }

        try
        {
            SchemaCompilation compiled = _compiler.Value.JsonSchema(schema, format.Strict, Preamble(start));
            error = compiled.Succeeded
                ? null
                : new PlatformError(BusinessCode.ParameterInvalid, $"The schema can't be enforced: {string.Join("; ", compiled.Unsupported)}. Leave these keywords out or set strict to false.", SchemaField);
            return compiled.Constraint?.Start();
        }
        catch (JsonSchemaException fault)
        {
            error = new PlatformError(BusinessCode.ParameterInvalid, fault.Message, SchemaField);
            return null;
        }
    }

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
