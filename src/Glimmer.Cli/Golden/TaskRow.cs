using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Engine;

namespace Glimmer.Cli.Golden;

/// <summary>One request of <c>tasks.jsonl</c>, what the reference answered, and what this build answers.</summary>
internal sealed class TaskRow : ITokenSink
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly MessageBuilder _message = new();
    private readonly List<ChatEvent> _events = [];

    private TaskRow(string kind, Conversation conversation, JsonElement row)
    {
        Kind = kind;
        Conversation = conversation;
        PromptIds = [.. row.GetProperty("prompt_ids").EnumerateArray().Select(id => id.GetInt32())];
        GreedyIds = [.. row.GetProperty("greedy_ids").EnumerateArray().Select(id => id.GetInt32())];
        Gaps = [.. row.GetProperty("gaps").EnumerateArray().Select(gap => gap.GetDouble())];
        Right = row.GetProperty("right").GetBoolean();
        Want = row.GetProperty("want");
    }

    public string Kind { get; }

    public Conversation Conversation { get; }

    public int[] PromptIds { get; }

    public int[] GreedyIds { get; }

    public double[] Gaps { get; }

    public bool Right { get; }

    public JsonElement Want { get; }

    public string? Problem { get; set; }

    public int[] Prompt { get; set; } = [];

    public List<int> Answer { get; } = [];

    public OutputAutomaton? Automaton { get; set; }

    public Task Ended => _ended.Task;

    /// <summary>Reads a row.</summary>
    /// <exception cref="JsonException">A field is missing or of the wrong kind.</exception>
    public static TaskRow Read(JsonElement row)
    {
        if (!ConversationReader.TryRead(row, out Conversation? conversation, out RenderFault? fault))
            throw new JsonException(fault.ToString());
        bool thinking = row.GetProperty("thinking").GetBoolean();
        return new TaskRow(
            row.GetProperty("kind").GetString()!,
            conversation with { Options = conversation.Options with { EnableThinking = thinking } },
            row);
    }

    /// <summary>Whether the answer means exactly what the generator of the tasks held right.</summary>
    public bool AnswersRight() => Means(_message.Content, _message.Calls);

    /// <summary>Whether an answer means exactly what the generator of the tasks held right.</summary>
    public bool Means(string? content, IReadOnlyList<SaidCall> said)
    {
        if (Want.GetProperty("content").GetString()!.Trim() != (content ?? "").Trim())
            return false;
        JsonElement calls = Want.GetProperty("tool_calls");
        return calls.GetArrayLength() == said.Count && calls.EnumerateArray().Zip(said).All(pair => Same(pair.First, pair.Second));
    }

    /// <inheritdoc/>
    public void OnPrefilled(int promptTokens, int cachedTokens)
    {
    }

    /// <inheritdoc/>
    public bool OnToken(int token)
    {
        Answer.Add(token);
        // The reference goes on until a stop token or the limit, whatever the automaton makes of it.
        if (Automaton!.Ended is null)
            Automaton.Feed(token, _events);
        return true;
    }

    /// <inheritdoc/>
    public void OnEnded(GenerationEnd end, GenerationUsage usage)
    {
        if (end is not (GenerationEnd.StopToken or GenerationEnd.MaxTokens))
            Problem = $"the generation ended with {end}";
        Automaton!.Finish(end == GenerationEnd.MaxTokens ? EndCause.MaxTokens : EndCause.StopToken, _events);
        _message.Add(_events);
        _ended.SetResult();
    }

    private static bool Same(JsonElement want, SaidCall said)
    {
        using JsonDocument arguments = JsonDocument.Parse(said.Arguments);
        Dictionary<string, string> wanted = Texts(want.GetProperty("arguments")), actual = Texts(arguments.RootElement);
        return want.GetProperty("name").GetString() == said.Name && wanted.Count == actual.Count
            && wanted.All(pair => actual.TryGetValue(pair.Key, out string? value) && value == pair.Value);
    }

    private static Dictionary<string, string> Texts(JsonElement arguments) => arguments.ValueKind != JsonValueKind.Object
        ? []
        : arguments.EnumerateObject().ToDictionary(pair => pair.Name, pair => pair.Value.ToString(), StringComparer.Ordinal);
}
