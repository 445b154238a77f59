using System.Text.Json;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Remote.Fakes;

/// <summary>What the bundled model is known to say, token by token, in place of the model.</summary>
internal static class KnownAnswers
{
    private static readonly Lazy<List<(int[] Prompt, int[] Answer)>> Rows = new(() =>
        [.. File.ReadLines(Fixtures.Path("glimmer-tiny", "tasks.jsonl"))
            .Select(line => JsonDocument.Parse(line).RootElement)
            .Select(row => (Ids(row, "prompt_ids"), Ids(row, "greedy_ids")))]);

    /// <summary>Goes on where a prompt stops: at a known prompt, or within a known answer to it.</summary>
    public static IEnumerable<int> Continue(FakeCall call)
    {
        foreach ((int[] prompt, int[] answer) in Rows.Value)
        {
            if (call.Prompt.Length < prompt.Length || !call.Prompt.AsSpan(0, prompt.Length).SequenceEqual(prompt))
                continue;
            ReadOnlySpan<int> said = call.Prompt.AsSpan(prompt.Length);
            if (said.Length <= answer.Length && answer.AsSpan(0, said.Length).SequenceEqual(said))
                return answer[said.Length..];
        }

        throw new InvalidOperationException($"No known prompt begins {string.Join(' ', call.Prompt)}.");
    }

    private static int[] Ids(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
}
