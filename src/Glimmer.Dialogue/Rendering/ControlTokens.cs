using System.Buffers;

namespace Glimmer.Dialogue.Rendering;

/// <summary>The spellings of GLM's added tokens, and where they begin inside a template's own literals.</summary>
public static class ControlTokens
{
    /// <summary>Opens every prompt from GLM-4 on, before <see cref="Sop"/>.</summary>
    public const string GMask = "[gMASK]";

    /// <summary>Start of the piece.</summary>
    public const string Sop = "<sop>";

    /// <summary>End of the text.</summary>
    public const string EndOfText = "<|endoftext|>";

    /// <summary>Role of instructions.</summary>
    public const string System = "<|system|>";

    /// <summary>Role of the person; as output it ends the turn.</summary>
    public const string User = "<|user|>";

    /// <summary>Role of the model.</summary>
    public const string Assistant = "<|assistant|>";

    /// <summary>Role of tool results; as output it hands over to tools.</summary>
    public const string Observation = "<|observation|>";

    /// <summary>Opens the reasoning.</summary>
    public const string Think = "<think>";

    /// <summary>Closes the reasoning.</summary>
    public const string ThinkEnd = "</think>";

    /// <summary>Opens a call.</summary>
    public const string ToolCall = "<tool_call>";

    /// <summary>Closes a call.</summary>
    public const string ToolCallEnd = "</tool_call>";

    /// <summary>Opens a tool's result.</summary>
    public const string ToolResponse = "<tool_response>";

    /// <summary>Closes a tool's result.</summary>
    public const string ToolResponseEnd = "</tool_response>";

    /// <summary>Opens an argument's name.</summary>
    public const string ArgKey = "<arg_key>";

    /// <summary>Closes an argument's name.</summary>
    public const string ArgKeyEnd = "</arg_key>";

    /// <summary>Opens an argument's value.</summary>
    public const string ArgValue = "<arg_value>";

    /// <summary>Closes an argument's value.</summary>
    public const string ArgValueEnd = "</arg_value>";

    /// <summary>Asks GLM-4.5 and 4.6 not to think.</summary>
    public const string NoThink = "/nothink";

    /// <summary>Opens the answer of GLM-4.1V.</summary>
    public const string Answer = "<answer>";

    /// <summary>Closes the answer of GLM-4.1V.</summary>
    public const string AnswerEnd = "</answer>";

    /// <summary>Opens a grounding answer of the vision models.</summary>
    public const string BoxBegin = "<|begin_of_box|>";

    /// <summary>Closes a grounding answer of the vision models.</summary>
    public const string BoxEnd = "<|end_of_box|>";

    /// <summary>Every spelling that a template's own literals may hold.</summary>
    internal static string[] All { get; } =
    [
        EndOfText, "[MASK]", GMask, "[sMASK]", Sop, "<eop>", System, User, Assistant, Observation,
        "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>",
        "<|begin_of_audio|>", "<|end_of_audio|>", "<|begin_of_transcription|>", "<|end_of_transcription|>",
        "<|code_prefix|>", "<|code_middle|>", "<|code_suffix|>", Think, ThinkEnd, ToolCall, ToolCallEnd,
        ToolResponse, ToolResponseEnd, ArgKey, ArgKeyEnd, ArgValue, ArgValueEnd, NoThink,
        BoxBegin, BoxEnd, "<|image|>", "<|video|>", Answer, AnswerEnd,
    ];

    /// <summary>Finds the spellings in a text.</summary>
    internal static SearchValues<string> Search { get; } = SearchValues.Create(All, StringComparison.Ordinal);
}
