namespace Glimmer.Inference;

/// <summary>A prompt that no template touches: a text in which control tokens count as such, or token ids.</summary>
/// <param name="Text">The text; empty when there are ids.</param>
/// <param name="Tokens">Ids of the model's own vocabulary, at least one; null for the text.</param>
/// <param name="Suffix">
/// What comes after the gap that the model fills, for models whose vocabulary has tokens for it; null for nothing. Then both are text and nothing else: no spelling in
/// them is a control token.
/// </param>
public sealed record RawPrompt(string Text, IReadOnlyList<int>? Tokens = null, string? Suffix = null);
