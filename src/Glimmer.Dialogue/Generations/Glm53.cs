using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// GLM-5.3 and 5.3-Flash: as 5.2, but it always thinks, knows three efforts, keeps earlier reasoning unless told
/// otherwise, and sees tool results in the order of the calls. Flash takes media.
/// </summary>
/// <param name="name">The generation's name.</param>
/// <param name="seesMedia">Whether media are placeholders (Flash) or a sentence.</param>
internal sealed class Glm53(string name, bool seesMedia)
    : Glm52(name, new OutputGrammar { ToolCalls = ToolCallSyntax.Tags, Reasons = true, Boxes = seesMedia })
{
    private protected override void WriteEffort(PromptWriter writer, RenderOptions options)
    {
        writer.Control(ControlTokens.System);
        writer.Text(options.ReasoningEffort switch
        {
            "low" => "Reasoning Effort: Low",
            "high" => "Reasoning Effort: High",
            _ => "Reasoning Effort: Max",
        });
    }

    private protected override void WriteGenerationPrompt(PromptWriter writer, RenderOptions options) => writer.Control(ControlTokens.Think);

    private protected override bool KeepsThinking(RenderOptions options) => options.ClearThinking != true;

    private protected override void WriteMedia(PromptWriter writer, MediaPart media)
    {
        if (seesMedia)
            writer.Media(media);
        else
            base.WriteMedia(writer, media);
    }

    private protected override int[] ResultOrder(Conversation conversation)
    {
        int[] order = base.ResultOrder(conversation);
        for (int first = 0; first < order.Length; first++)
        {
            if (conversation.Messages[first].Role != ChatRole.Tool)
                continue;
            int end = first + 1;
            while (end < order.Length && conversation.Messages[end].Role == ChatRole.Tool)
                end++;
            if (first > 0 && conversation.Messages[first - 1] is { Role: ChatRole.Assistant } caller)
                Sort(conversation.Messages, caller.ToolCalls, order, first, end);
            first = end;
        }

        return order;
    }

    // Only when every call and every result has an id of its own and they match one to one.
    private static void Sort(IReadOnlyList<ChatMessage> messages, IReadOnlyList<ToolCall> calls, int[] order, int first, int end)
    {
        if (calls.Count != end - first)
            return;
        Dictionary<string, int> results = new(StringComparer.Ordinal);
        for (int i = first; i < end; i++)
        {
            if (messages[i].ToolCallId is not { Length: > 0 } id || !results.TryAdd(id, i))
                return;
        }

        int[] sorted = new int[calls.Count];
        HashSet<string> seen = new(StringComparer.Ordinal);
        for (int call = 0; call < calls.Count; call++)
        {
            if (!seen.Add(calls[call].Id) || !results.TryGetValue(calls[call].Id, out sorted[call]))
                return;
        }

        sorted.CopyTo(order, first);
    }
}
