namespace Glimmer.Dialogue.Generations;

/// <summary>How a generation writes tool calls.</summary>
public enum ToolCallSyntax
{
    /// <summary>It makes none.</summary>
    None,

    /// <summary><c>&lt;tool_call&gt;NAME&lt;arg_key&gt;k&lt;/arg_key&gt;&lt;arg_value&gt;v&lt;/arg_value&gt;…&lt;/tool_call&gt;</c>, with or without line breaks (GLM-4.5 and later).</summary>
    Tags,

    /// <summary><c>NAME</c>, a line break and a JSON object (before GLM-4.5).</summary>
    NameAndJson,
}

/// <summary>How a generation writes its answers: all that the output automaton and the grammars need to know.</summary>
public sealed record OutputGrammar
{
    /// <summary>How tools are called.</summary>
    public required ToolCallSyntax ToolCalls { get; init; }

    /// <summary>Whether the model may reason before it answers, between <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c>.</summary>
    public required bool Reasons { get; init; }

    /// <summary>Whether the answer stands between <c>&lt;answer&gt;</c> and <c>&lt;/answer&gt;</c>, the latter ending the turn (GLM-4.1V).</summary>
    public bool AnswerTags { get; init; }

    /// <summary>Whether grounding answers stand between <c>&lt;|begin_of_box|&gt;</c> and <c>&lt;|end_of_box|&gt;</c> (vision models).</summary>
    public bool Boxes { get; init; }

    /// <summary>Whether white space around the answer is no part of it (GLM-ASR).</summary>
    public bool TrimsAnswer { get; init; }

    /// <summary>Whether audio codes (<c>&lt;|audio_0|&gt;</c> …) stand between the text's tokens, even inside a character (GLM-4-Voice).</summary>
    public bool AudioCodes { get; init; }

    /// <summary>Whether the vendor's layout of a call puts a line break between its pieces (GLM-4.5, 4.6 and the vision models of that time).</summary>
    public bool LineBreaks { get; init; }

    /// <summary>Spellings of the tokens that end a turn. A vocabulary that lacks one simply never produces it.</summary>
    public IReadOnlyList<string> Stops { get; init; } = ["<|endoftext|>", "<|user|>", "<|observation|>"];
}
