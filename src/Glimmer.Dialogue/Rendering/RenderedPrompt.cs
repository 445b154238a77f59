using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;

namespace Glimmer.Dialogue.Rendering;

/// <summary>Where a medium belongs in a prompt.</summary>
/// <param name="TokenIndex">
/// Index of its placeholder token (<c>&lt;|image|&gt;</c>, <c>&lt;|video|&gt;</c>), which the backend repeats or replaces;
/// for sound, which has none, index of <c>&lt;|begin_of_audio|&gt;</c>.
/// </param>
/// <param name="Part">The medium.</param>
public readonly record struct MediaSlot(int TokenIndex, MediaPart Part);

/// <summary>A prompt as a model reads it.</summary>
/// <param name="Tokens">The token ids.</param>
/// <param name="Start">What the model's first token will belong to.</param>
/// <param name="Media">Media to put in, in order of place.</param>
public sealed record RenderedPrompt(int[] Tokens, OutputStart Start, IReadOnlyList<MediaSlot> Media);

/// <summary>Why a conversation cannot be rendered: the client's mistake, in words for the client.</summary>
/// <param name="MessageIndex">Index of the message, −1 when it is not about one.</param>
/// <param name="Field">The field, e.g. <c>tool_calls[0].function.arguments</c>.</param>
/// <param name="Problem">What is wrong and what would be right.</param>
public sealed record RenderFault(int MessageIndex, string Field, string Problem)
{
    /// <inheritdoc/>
    public override string ToString() => MessageIndex < 0 ? $"{Field}: {Problem}" : $"messages[{MessageIndex}].{Field}: {Problem}";
}

/// <summary>A prompt, or why there is none.</summary>
/// <param name="Prompt">The prompt when it could be rendered.</param>
/// <param name="Fault">The reason when it could not.</param>
public readonly record struct RenderResult(RenderedPrompt? Prompt, RenderFault? Fault);

/// <summary>The text form of a prompt, or why there is none. For people and for engines that take text only.</summary>
/// <param name="Text">
/// The text as the published template prints it. Control tokens and text that spells one cannot be told apart in it.
/// </param>
/// <param name="Start">What the model's first token will belong to.</param>
/// <param name="Fault">The reason when it could not be rendered.</param>
public readonly record struct RenderedText(string? Text, OutputStart Start, RenderFault? Fault);
