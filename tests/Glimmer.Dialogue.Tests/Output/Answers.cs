using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Tests.Output;

/// <summary>Feeds outputs to an automaton and folds what it says.</summary>
internal sealed record Answer(string? Content, string? Reasoning, IReadOnlyList<SaidCall> Calls, FinishReason Finish, List<ChatEvent> Events, OutputAutomaton Automaton)
{
    public static OutputOptions Options(OutputStart start = OutputStart.Content) => new() { Start = start, Tools = RandomTalk.Tools };

    /// <summary>Feeds text; control tokens in it are only text.</summary>
    public static Answer OfText(string output, OutputOptions options, EndCause cause = EndCause.StopToken, string generation = "glm-4.7") =>
        OfPieces([output], options, cause, generation);

    /// <summary>Feeds text in pieces.</summary>
    public static Answer OfPieces(IEnumerable<string> pieces, OutputOptions options, EndCause cause = EndCause.StopToken, string generation = "glm-4.7")
    {
        OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName(generation), null, options);
        List<ChatEvent> events = [];
        foreach (string piece in pieces)
        {
            if (automaton.FeedText(piece, events) == AutomatonVerdict.Done)
                break;
        }

        return Fold(automaton, automaton.Finish(cause, events), events);
    }

    /// <summary>Feeds the tokens of a text; control tokens in it are tokens. Ends where the automaton says so.</summary>
    public static Answer OfTokens(string output, OutputOptions options, ITokenizer? vocabulary = null, EndCause cause = EndCause.MaxTokens, string generation = "glm-4.7")
    {
        vocabulary ??= Vocabularies.Small;
        List<int> ids = [];
        vocabulary.Encode(output, recogniseAdded: true, ids);
        return OfIds(ids, options, vocabulary, cause, generation);
    }

    /// <summary>Feeds tokens.</summary>
    public static Answer OfIds(IEnumerable<int> ids, OutputOptions options, ITokenizer vocabulary, EndCause cause, string generation = "glm-4.7")
    {
        OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName(generation), vocabulary, options);
        List<ChatEvent> events = [];
        foreach (int id in ids)
        {
            if (automaton.Feed(id, events) == AutomatonVerdict.Done)
                return Fold(automaton, automaton.Finish(events), events);
        }

        return Fold(automaton, automaton.Finish(cause, events), events);
    }

    public string Describe() => System.Text.Json.JsonSerializer.Serialize(new { Content, Reasoning, Calls, Finish });

    private static Answer Fold(OutputAutomaton automaton, FinishReason finish, List<ChatEvent> events)
    {
        MessageBuilder message = new();
        message.Add(events);
        return new(message.Content, message.Reasoning, message.Calls, finish, events, automaton);
    }
}
