using Glimmer.Dialogue.Conversations;

namespace Glimmer.Dialogue.Output;

/// <summary>What the automaton must know about one answer besides the generation.</summary>
public sealed record OutputOptions
{
    /// <summary>What the first token belongs to; the rendered prompt says so.</summary>
    public required OutputStart Start { get; init; }

    /// <summary>Tools offered. With none, what looks like a call is text.</summary>
    public IReadOnlyList<ToolDefinition> Tools { get; init; } = [];

    /// <summary>
    /// Texts that end the answer and are not part of it. They are looked for in the answer only, not in reasoning or calls.
    /// Empty texts are ignored.
    /// </summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Whether arguments come in pieces as they are written, or each call in one piece when it is complete.</summary>
    public bool StreamArguments { get; init; } = true;

    /// <summary>Whether several calls may be made; otherwise the answer ends with the first.</summary>
    public bool ParallelToolCalls { get; init; } = true;

    /// <summary>Whether the box tags of vision models stay in the answer.</summary>
    public bool KeepBoxes { get; init; }

    /// <summary>
    /// Whether what is said is plain text, as after a raw prompt: no reasoning, no calls, no tags, and no white space falls away. Only stop texts count;
    /// <see cref="Start"/> and <see cref="Tools"/> do not.
    /// </summary>
    public bool IsPlain { get; init; }

    /// <summary>What may be mended in malformed calls. A call that needs a repair that is switched off comes back as text.</summary>
    public Repairs Repairs { get; init; } = Repairs.All;

    /// <summary>Most tokens of reasoning before <see cref="OutputAutomaton.ShouldForceEndThink"/> asks to end it; null for no limit.</summary>
    public int? ThinkingBudget { get; init; }
}

/// <summary>What can be wrong with a call and be mended.</summary>
[Flags]
public enum Repairs
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary><c>&lt;arg_key&gt;</c> is missing or another opening tag stands in its place.</summary>
    KeyOpen = 1,

    /// <summary><c>&lt;/arg_key&gt;</c> is missing or another closing tag stands in its place.</summary>
    KeyClose = 2,

    /// <summary><c>&lt;arg_value&gt;</c> is missing or another opening tag stands in its place.</summary>
    ValueOpen = 4,

    /// <summary><c>&lt;/arg_value&gt;</c> is missing.</summary>
    ValueClose = 8,

    /// <summary>A name has no value; it is dropped.</summary>
    KeyWithoutValue = 16,

    /// <summary><c>&lt;/tool_call&gt;</c> is missing: the turn ended, or the next call began.</summary>
    CallClose = 32,

    /// <summary>The call is a JSON object between the call tags, alone or after the name.</summary>
    JsonCall = 64,

    /// <summary>Text stands where none belongs; it is moved behind the call as content.</summary>
    StrayText = 128,

    /// <summary>A JSON call of the older form stands in a code fence.</summary>
    CodeFence = 256,

    /// <summary>Everything above.</summary>
    All = 511,
}

/// <summary>Whether the automaton wants more.</summary>
public enum AutomatonVerdict
{
    /// <summary>Go on.</summary>
    Continue,

    /// <summary>The answer is complete: generate no further and call <see cref="OutputAutomaton.Finish(List{ChatEvent})"/>.</summary>
    Done,
}

/// <summary>Why the tokens ended.</summary>
public enum EndCause
{
    /// <summary>The model ended its turn with a stop token.</summary>
    StopToken,

    /// <summary>The answer held one of the stop texts.</summary>
    StopText,

    /// <summary>The one call that was allowed is complete.</summary>
    FirstCall,

    /// <summary>The token limit.</summary>
    MaxTokens,

    /// <summary>The context window is full.</summary>
    ContextFull,

    /// <summary>Moderation.</summary>
    Sensitive,

    /// <summary>The backend failed.</summary>
    Fault,

    /// <summary>The client went away or the server is stopping.</summary>
    Cancelled,
}
