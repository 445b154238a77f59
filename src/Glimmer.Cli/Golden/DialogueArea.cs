using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;

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
        Dictionary<string, JsonElement> conversations = JsonLines.Read(source).ToDictionary(row => row.GetProperty("id").GetString()!, StringComparer.Ordinal);
        foreach (string file in Directory.GetFiles(rendered, "*.jsonl").Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileNameWithoutExtension(file);
            if (!Generations.TryGet(name, out Generation? generation))
            {
                yield return new GoldenCheck($"rendered.{name}", double.NaN, 0, "no generation of this name");
                continue;
            }

            foreach (JsonElement row in JsonLines.Read(file))
            {
                cancel.ThrowIfCancellationRequested();
                string id = row.GetProperty("id").GetString()!;
                string? problem = conversations.TryGetValue(id, out JsonElement conversation)
                    ? CompareRendering(generation, conversation, row.GetProperty("rendered").GetString()!)
                    : "no conversation of this id";
                yield return new GoldenCheck($"rendered.{name}.{id}", problem is null ? 0 : 1, 0, problem);
            }
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

    private static string Around(string text, int at) =>
        JsonSerializer.Serialize(text.Substring(Math.Max(0, at - 20), Math.Min(text.Length, at + 40) - Math.Max(0, at - 20)));
}
