using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Server.Answers;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary>
/// Folds an answer into the events of the Responses API: the response created and in progress, one item after the other, then the whole response.
/// </summary>
/// <param name="events">Where they are written.</param>
/// <param name="answer">The answer.</param>
/// <param name="ping">Writes a sign of life; null where there is no connection.</param>
internal sealed class ResponsesStream(ResponseEvents events, ResponsesAnswer answer, Action? ping = null) : IStreamedAnswer
{
    private CustomInput? _input;

    /// <inheritdoc/>
    public void Ping() => ping?.Invoke();

    /// <inheritdoc/>
    public void Begin(in ChatUsage usage)
    {
        var begun = new ResponseState("in_progress");

        // Of a background response that it was created, and queued, has been told before.
        if (!answer.Head.Request.Background)
            events.State("response.created"u8, json => answer.Head.Write(json, begun));
        events.State("response.in_progress"u8, json => answer.Head.Write(json, begun));
    }

    /// <inheritdoc/>
    public void Write(in ChatEvent said)
    {
        switch (said.Kind)
        {
            case ChatEventKind.Reasoning when answer.ShowsReasoning && said.Text.Length > 0:
                if (events.Current is not ReasoningOutput)
                    Open(new ReasoningOutput(ResponseIds.New("rs"), "", answer.Head.Request.ReasoningAsSummary, null));
                events.Continue(said.Text, null);
                break;
            case ChatEventKind.Content when said.Text.Length > 0:
                if (events.Current is not MessageOutput)
                    Open(new MessageOutput(ResponseIds.New("msg"), "", null));
                events.Continue(said.Text, said.Tokens);
                break;
            case ChatEventKind.ToolCallStart:
                Open(answer.Call(said.Text, ""));
                _input = events.Current is CallOutput { IsCustom: true } ? new CustomInput() : null;
                break;
            case ChatEventKind.ToolCallArguments when said.Text.Length > 0:
                if ((_input is null ? said.Text : _input.Add(said.Text)) is { Length: > 0 } piece)
                    events.Continue(piece, null);
                break;
            case ChatEventKind.ToolCallEnd or ChatEventKind.ToolCallAbandoned:
                Close(said.Kind == ChatEventKind.ToolCallEnd);
                break;
            default:
                break; // reasoning that is not shown, or that comes again as the answer
        }
    }

    /// <inheritdoc/>
    public void End(AnswerEnd end)
    {
        bool complete = ResponsesAnswer.IsComplete(end.Finish);
        bool failed = end.Finish is FinishReason.BackendFault or FinishReason.Cancelled;
        Close(complete);
        if (!failed && !events.Items.Any(static item => item is MessageOutput or CallOutput))
        {
            Open(new MessageOutput(ResponseIds.New("msg"), "", null));
            Close(complete);
        }

        answer.Finish(events.Items, end);
        answer.Marks = events.Marks;
        events.State(ResponseReplay.TypeOfEnd(answer.State.Status), json => answer.Head.Write(json, answer.State));
    }

    private void Open(OutputItem item)
    {
        Close(complete: true);
        events.Open(item);
    }

    private void Close(bool complete)
    {
        if (events.Current is not { } open)
            return;
        if (_input?.End() is { Length: > 0 } rest)
            events.Continue(rest, null);
        _input = null;
        string text = events.Text;
        events.Close(open switch
        {
            ReasoningOutput => answer.Reasoning(open.Id, text, complete),
            MessageOutput message => message with { Text = text, Tokens = events.Tokens, Complete = complete },
            CallOutput call => call with { Arguments = text, Complete = complete },
            _ => open,
        });
    }
}
