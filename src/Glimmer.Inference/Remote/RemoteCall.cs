using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Output;

namespace Glimmer.Inference.Remote;

/// <summary>One request, rendered and checked, before any engine hears of it.</summary>
internal sealed record RemoteCall
{
    /// <summary>The model.</summary>
    public required RemoteModel Model { get; init; }

    /// <summary>What is asked.</summary>
    public required ChatRequest Request { get; init; }

    /// <summary>The prompt.</summary>
    public required int[] Prompt { get; init; }

    /// <summary>What the automaton must know.</summary>
    public required OutputOptions Output { get; init; }

    /// <summary>What the answer must be, without its reasoning; null for anything.</summary>
    public CompiledConstraint? Constraint { get; init; }

    /// <summary>The same in the engine's notation.</summary>
    public string? Grammar { get; init; }

    /// <summary>What the schemas demand and is not enforced.</summary>
    public IReadOnlyList<Relaxation> Relaxations { get; init; } = [];

    /// <summary>Most tokens of the answer.</summary>
    public required int Limit { get; init; }

    /// <summary>Whether that is the room that the context leaves, not the client's limit.</summary>
    public required bool LimitIsContext { get; init; }

    /// <summary>
    /// Whether the answer comes in two runs: the reasoning without the grammar, then what must satisfy it. Engines apply a grammar from
    /// the first token, or after a reasoning that they find by a parser of their own; asked so, they need to know neither.
    /// </summary>
    public bool ReasonsFirst => Constraint is not null && Output.Start != OutputStart.Content;

    /// <summary>Whether the reasoning that the prompt opened must end before its first token.</summary>
    public bool ReasonsNever => Output is { Start: OutputStart.Reasoning, ThinkingBudget: <= 0 };

    /// <summary>The first run.</summary>
    public EngineRequest FirstRun() => ReasonsNever ? RunAfter(NewAutomaton().EndThinkTokens, isReasoning: false) : RunAfter([], ReasonsFirst);

    /// <summary>An automaton for the answer.</summary>
    public OutputAutomaton NewAutomaton() => new(Model.Generation, Model.Tokenizer, Output);

    /// <summary>A run of tokens.</summary>
    /// <param name="said">What was said already.</param>
    /// <param name="isReasoning">Whether the grammar comes later.</param>
    public EngineRequest RunAfter(IReadOnlyList<int> said, bool isReasoning) => new()
    {
        Model = Model.Definition.Name,
        Prompt = said.Count == 0 ? Prompt : [.. Prompt, .. said],
        Sampling = Request.Sampling,
        MaxTokens = Math.Max(1, Limit - said.Count),
        StopTokens = isReasoning ? Model.ReasoningStops : Model.StopTokens,
        TopLogProbs = Request.TopLogProbs,
        Grammar = isReasoning ? null : Grammar,
        ContextLength = Model.ContextLength,
    };
}
