using System.Text;

namespace Glimmer.Dialogue.Output;

/// <summary>A call in a whole message.</summary>
/// <param name="Name">Function name.</param>
/// <param name="Arguments">JSON text of an object.</param>
public sealed record SaidCall(string Name, string Arguments);

/// <summary>Folds the events of an answer into a whole message. A plain answer is nothing but this fold of the stream.</summary>
public sealed class MessageBuilder
{
    private readonly StringBuilder _content = new();
    private readonly StringBuilder _reasoning = new();
    private List<SaidToken>? _tokens;
    private readonly SortedDictionary<int, (string Name, StringBuilder Arguments)> _calls = [];

    /// <summary>The answer; null when there is none, as in a message of calls only.</summary>
    public string? Content => _content.Length == 0 ? null : _content.ToString();

    /// <summary>The reasoning; null when there is none.</summary>
    public string? Reasoning => _reasoning.Length == 0 ? null : _reasoning.ToString();

    /// <summary>The tokens of the answer with their probabilities; null when nobody asked for them.</summary>
    public IReadOnlyList<SaidToken>? Tokens => _tokens;

    /// <summary>The calls, in order.</summary>
    public IReadOnlyList<SaidCall> Calls => [.. _calls.Values.Select(call => new SaidCall(call.Name, call.Arguments.ToString()))];

    /// <summary>Folds events in.</summary>
    public void Add(IEnumerable<ChatEvent> events)
    {
        foreach (ChatEvent said in events)
            Add(said);
    }

    /// <summary>Folds an event in.</summary>
    public void Add(ChatEvent said)
    {
        switch (said.Kind)
        {
            case ChatEventKind.Content:
                _content.Append(said.Text);
                if (said.Tokens is { } tokens)
                    (_tokens ??= []).AddRange(tokens);
                break;
            case ChatEventKind.Reasoning:
                _reasoning.Append(said.Text);
                break;
            case ChatEventKind.ReasoningWasAnswer:
                _reasoning.Clear();
                break;
            case ChatEventKind.ToolCallStart:
                _calls[said.ToolIndex] = (said.Text, new StringBuilder());
                break;
            case ChatEventKind.ToolCallArguments:
                _calls[said.ToolIndex].Arguments.Append(said.Text);
                break;
            case ChatEventKind.ToolCallAbandoned:
                _calls.Remove(said.ToolIndex);
                break;
            default:
                break;
        }
    }
}
