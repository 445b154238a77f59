using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Cli.Golden;

/// <summary>
/// Prompts, parses and argument types: <c>conversations.jsonl</c> with <c>rendered/GENERATION.jsonl</c>, and
/// <c>parse.jsonl</c> and <c>arguments.jsonl</c>, each where present.
/// </summary>
public sealed class DialogueArea : IGoldenArea
{
    /// <inheritdoc/>
    public string Name => "dialogue";

    /// <inheritdoc/>
    public bool Recognises(string folder) =>
        File.Exists(Path.Combine(folder, "conversations.jsonl")) && Directory.Exists(Path.Combine(folder, "rendered")) ||
        File.Exists(Path.Combine(folder, "parse.jsonl")) ||
        File.Exists(Path.Combine(folder, "arguments.jsonl")) && FirstLine(folder).Contains("\"schemas\"", StringComparison.Ordinal);

    /// <inheritdoc/>
    public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel)
    {
        IEnumerable<GoldenCheck> checks = RunRendering(folder, cancel);
        string parses = Path.Combine(folder, "parse.jsonl");
        if (File.Exists(parses))
            checks = checks.Concat(DialogueOutputs.RunParses(parses, cancel));
        string arguments = Path.Combine(folder, "arguments.jsonl");
        return File.Exists(arguments) ? checks.Concat(DialogueOutputs.RunArguments(arguments, cancel)) : checks;
    }

    private static string FirstLine(string folder) => File.ReadLines(Path.Combine(folder, "arguments.jsonl")).FirstOrDefault() ?? "";

    private static IEnumerable<GoldenCheck> RunRendering(string folder, CancellationToken cancel)
    {
        string source = Path.Combine(folder, "conversations.jsonl");
        string rendered = Path.Combine(folder, "rendered");
        if (!File.Exists(source) || !Directory.Exists(rendered))
            yield break;
        string vocabulary = Path.Combine(folder, "..", "tokenizer", "tokenizer.json");
        Tokenizer? tokenizer = File.Exists(vocabulary) ? TokenizerFiles.Open(vocabulary) : null;
        Dictionary<string, JsonElement> conversations = JsonLines.Read(source).ToDictionary(row => row.GetProperty("id").GetString()!, StringComparer.Ordinal);
        foreach (string file in Directory.GetFiles(rendered, "*.jsonl").Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileNameWithoutExtension(file);
            if (!Generations.TryGet(name, out Generation? generation))
            {
                yield return new GoldenCheck($"rendered.{name}", double.NaN, 0, "no generation of this name");
                continue;
            }

            int honest = 0, wrong = 0;
            foreach (JsonElement row in JsonLines.Read(file))
            {
                cancel.ThrowIfCancellationRequested();
                string id = row.GetProperty("id").GetString()!;
                string? problem = conversations.TryGetValue(id, out JsonElement conversation)
                    ? CompareRendering(generation, conversation, row.GetProperty("rendered").GetString()!)
                    : "no conversation of this id";
                yield return new GoldenCheck($"rendered.{name}.{id}", problem is null ? 0 : 1, 0, problem);
                if (tokenizer is null || problem is not null || !IsHonest(conversation, tokenizer))
                    continue;
                honest++;
                wrong += IsEncodedAsText(generation, conversation, tokenizer) ? 0 : 1;
            }

            if (honest > 0)
                yield return new GoldenCheck($"tokens.{name}", wrong, 0, wrong == 0 ? null : $"{wrong} of {honest} prompts differ from the encoding of their text");
        }
    }

    private static string? CompareRendering(Generation generation, JsonElement json, string expected)
    {
        if (!ConversationReader.TryRead(json, out Conversation? conversation, out RenderFault? fault))
            return $"the conversation cannot be read: {fault}";
        RenderedText rendered = generation.RenderText(conversation);
        if (rendered.Text is not { } text)
            return $"not rendered: {rendered.Fault}";
        if (string.Equals(text, expected, StringComparison.Ordinal))
            return null;
        int at = expected.AsSpan().CommonPrefixLength(text);
        return $"differs at character {at}: expected {Around(expected, at)}, got {Around(text, at)}";
    }

    // Whether the token form is what the tokenizer makes of the text form with control tokens recognised.
    private static bool IsEncodedAsText(Generation generation, JsonElement json, Tokenizer tokenizer)
    {
        if (!ConversationReader.TryRead(json, out Conversation? conversation, out _))
            return false;
        RenderResult tokens = generation.Render(conversation, tokenizer);
        return tokens.Prompt is { } prompt && prompt.Tokens.SequenceEqual(tokenizer.Encode(generation.RenderText(conversation).Text, recogniseAdded: true));
    }

    // Whether no text of the conversation spells a control token: only then are the two forms the same.
    private static bool IsHonest(JsonElement json, Tokenizer tokenizer) => json.ValueKind switch
    {
        JsonValueKind.String => IsHonest(json.GetString()!, tokenizer),
        JsonValueKind.Array => json.EnumerateArray().All(item => IsHonest(item, tokenizer)),
        JsonValueKind.Object => json.EnumerateObject().All(property => IsHonest(property.Name, tokenizer) && IsHonest(property.Value, tokenizer)),
        _ => true,
    };

    private static bool IsHonest(string text, Tokenizer tokenizer) =>
        !tokenizer.AddedTokens.Any(token => text.Contains(token.Content, StringComparison.Ordinal));

    private static string Around(string text, int at) =>
        JsonSerializer.Serialize(text.Substring(Math.Max(0, at - 20), Math.Min(text.Length, at + 40) - Math.Max(0, at - 20)));
}
