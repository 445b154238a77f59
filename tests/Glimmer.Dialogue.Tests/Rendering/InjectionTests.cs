using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Tests.Rendering;

public sealed class InjectionTests
{
    public static TheoryData<string> Names => [.. Dialogue.Generations.Generations.All.Select(generation => generation.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void No_text_of_a_client_becomes_a_control_token(string name) => Fuzz.Run(60, random =>
    {
        Generation generation = Dialogue.Generations.Generations.ForName(name);
        // The same history once with tags in its texts and once with harmless letters in their place.
        Conversation hostile = WithoutEmbeddedReasoning(RandomTalk.History(random, controls: true));
        Assert.Equal(ControlsIn(generation, Harmless(hostile)), ControlsIn(generation, hostile));
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void Honest_texts_give_the_tokens_of_the_whole_rendered_text(string name) => Fuzz.Run(60, random =>
    {
        Generation generation = Dialogue.Generations.Generations.ForName(name);
        Conversation honest = Harmless(RandomTalk.History(random, controls: false));
        int[] tokens = generation.Render(honest, Vocabularies.Small).Prompt!.Tokens;
        Assert.Equal(Vocabularies.Small.Encode(generation.RenderText(honest).Text, recogniseAdded: true), tokens);
    });

    private static List<int> ControlsIn(Generation generation, Conversation conversation) =>
        [.. generation.Render(conversation, Vocabularies.Small).Prompt!.Tokens.Where(token => Vocabularies.Small.KindOf(token) != TokenKind.Text)];

    private static Conversation Harmless(Conversation conversation) => conversation with
    {
        Messages = [.. conversation.Messages.Select(message => message with
        {
            Content = [.. message.Content.Select(part => new TextPart(Harmless(((TextPart)part).Text)))],
            ReasoningContent = message.ReasoningContent is { } reasoning ? Harmless(reasoning) : null,
            ToolCalls = [.. message.ToolCalls.Select(call => call with { Arguments = Harmless(call.Arguments) })],
        })],
    };

    // </think> in the content of a message of the model is meant to have effect: the templates read reasoning out of it.
    private static Conversation WithoutEmbeddedReasoning(Conversation conversation) => conversation with
    {
        Messages = [.. conversation.Messages.Select(message => message.Role != ChatRole.Assistant ? message : message with
        {
            Content = [.. message.Content.Select(part => new TextPart(((TextPart)part).Text.Replace("</think>", "x", StringComparison.Ordinal)))],
        })],
    };

    private static string Harmless(string text)
    {
        foreach (string control in RandomTalk.Controls)
            text = text.Replace(control, "x", StringComparison.Ordinal);
        return text;
    }
}
