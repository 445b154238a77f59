using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Constraints.Tools;

/// <summary>How calls are spelled in one vocabulary.</summary>
public sealed record ToolCallLayout
{
    /// <summary>The form of a call.</summary>
    public required ToolCallSyntax Syntax { get; init; }

    /// <summary>Whether the pieces of a tagged call stand on lines of their own (GLM-4.5 and 4.6).</summary>
    public bool LineBreaks { get; init; }

    /// <summary><c>&lt;tool_call&gt;</c>.</summary>
    public required GrammarTag CallOpen { get; init; }

    /// <summary><c>&lt;/tool_call&gt;</c>.</summary>
    public required GrammarTag CallClose { get; init; }

    /// <summary><c>&lt;arg_key&gt;</c>.</summary>
    public required GrammarTag KeyOpen { get; init; }

    /// <summary><c>&lt;/arg_key&gt;</c>.</summary>
    public required GrammarTag KeyClose { get; init; }

    /// <summary><c>&lt;arg_value&gt;</c>.</summary>
    public required GrammarTag ValueOpen { get; init; }

    /// <summary><c>&lt;/arg_value&gt;</c>.</summary>
    public required GrammarTag ValueClose { get; init; }

    /// <summary>What ends a turn that made calls: <c>&lt;|observation|&gt;</c>. Without such a token any end-of-turn does.</summary>
    public required GrammarTag End { get; init; }

    /// <summary>What stands between calls that are a name and JSON: <c>&lt;|assistant|&gt;</c>.</summary>
    public required GrammarTag Separator { get; init; }

    /// <summary>The layout of a generation in a vocabulary.</summary>
    public static ToolCallLayout Of(OutputGrammar output, ITokenizer tokenizer) => new()
    {
        Syntax = output.ToolCalls,
        LineBreaks = output.LineBreaks,
        CallOpen = GrammarTag.Find(tokenizer, "<tool_call>"),
        CallClose = GrammarTag.Find(tokenizer, "</tool_call>"),
        KeyOpen = GrammarTag.Find(tokenizer, "<arg_key>"),
        KeyClose = GrammarTag.Find(tokenizer, "</arg_key>"),
        ValueOpen = GrammarTag.Find(tokenizer, "<arg_value>"),
        ValueClose = GrammarTag.Find(tokenizer, "</arg_value>"),
        End = GrammarTag.Find(tokenizer, "<|observation|>"),
        Separator = GrammarTag.Find(tokenizer, "<|assistant|>"),
    };
}
