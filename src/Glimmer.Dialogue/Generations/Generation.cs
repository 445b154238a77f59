using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// One generation of GLM chat models: how a conversation is written for it and how it writes its answers. Everything
/// that differs between generations is here; a new generation is one class of this kind and its golden prompts.
/// Immutable and safe to share.
/// </summary>
public abstract class Generation
{
    private protected Generation(string name, OutputGrammar output)
    {
        Name = name;
        Output = output;
    }

    /// <summary>Its name, e.g. <c>glm-4.7</c>.</summary>
    public string Name { get; }

    /// <summary>How it writes its answers.</summary>
    public OutputGrammar Output { get; }

    /// <summary>
    /// Writes the conversation as token ids. Control tokens come from the template alone; whatever messages, tool names or
    /// results spell stays text.
    /// </summary>
    /// <param name="conversation">Messages, tools and options.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="cache">Remembers encoded text between calls; null for none. It must belong to <paramref name="tokenizer"/>.</param>
    public RenderResult Render(Conversation conversation, ITokenizer tokenizer, PromptCache? cache = null)
    {
        PromptWriter writer = Write(conversation);
        return writer.Fault is { } fault
            ? new(null, fault)
            : new(PromptEncoder.Encode(writer.Segments, tokenizer, cache, PromptEncoder.StartOf(writer.Segments, Output.Reasons)), null);
    }

    /// <summary>
    /// Writes the conversation as text, byte for byte as the published template does (for debugging, and for engines that
    /// take no tokens). In this form a client's text can forge control tokens.
    /// </summary>
    public RenderedText RenderText(Conversation conversation)
    {
        PromptWriter writer = Write(conversation);
        return writer.Fault is { } fault
            ? new(null, OutputStart.Content, fault)
            : new(PromptEncoder.Text(writer.Segments), PromptEncoder.StartOf(writer.Segments, Output.Reasons), null);
    }

    /// <summary>Ids that end a turn in this vocabulary.</summary>
    public IReadOnlySet<int> StopTokens(ITokenizer tokenizer)
    {
        HashSet<int> ids = [];
        foreach (string stop in Output.Stops)
        {
            if (tokenizer.TryGetAdded(stop, out int id))
                ids.Add(id);
        }

        return ids;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>Writes the whole prompt, the generation prompt included.</summary>
    private protected abstract void Write(PromptWriter writer, Conversation conversation);

    private PromptWriter Write(Conversation conversation)
    {
        PromptWriter writer = new(conversation.Options.ContinueFinalMessage ? conversation.Messages.Count - 1 : -1);
        Write(writer, conversation);
        writer.Finish();
        return writer;
    }

    /// <summary>Whether the prompt ends with the opening of the model's answer.</summary>
    private protected static bool OpensAnswer(Conversation conversation) =>
        conversation.Options is { AddGenerationPrompt: true, ContinueFinalMessage: false };
}
