using System.Text;

namespace Glimmer.Client;

/// <summary>Folds the chunks of a stream into the answer that they make: the one that would have come unstreamed.</summary>
public sealed class CompletionBuilder
{
    private readonly SortedDictionary<int, ChoiceParts> _choices = [];
    private CompletionChunk? _first;
    private Usage? _usage;

    /// <summary>Takes the next chunk.</summary>
    public void Add(CompletionChunk chunk)
    {
        ArgumentNullException.ThrowIfNull(chunk);
        _first ??= chunk;
        _usage = chunk.Usage ?? _usage;
        foreach (ChunkChoice choice in chunk.Choices)
        {
            if (!_choices.TryGetValue(choice.Index, out ChoiceParts? parts))
                _choices.Add(choice.Index, parts = new ChoiceParts());
            parts.Add(choice);
        }
    }

    /// <summary>The answer as far as it has come.</summary>
    public Completion Build() => new()
    {
        Id = _first?.Id ?? "",
        RequestId = _first?.RequestId,
        Created = _first?.Created ?? 0,
        Model = _first?.Model ?? "",
        Object = "chat.completion",
        Choices = [.. _choices.Select(choice => choice.Value.Build(choice.Key))],
        Usage = _usage,
    };

    private sealed class ChoiceParts
    {
        private readonly StringBuilder _content = new();
        private readonly StringBuilder _reasoning = new();
        private readonly SortedDictionary<int, (ToolCall First, StringBuilder Arguments)> _calls = [];
        private string? _role;
        private string? _finish;

        public void Add(ChunkChoice choice)
        {
            _finish = choice.FinishReason ?? _finish;
            if (choice.Delta is not { } delta)
                return;
            _role = delta.Role ?? _role;
            _content.Append(delta.Content);
            _reasoning.Append(delta.ReasoningContent);
            foreach (ToolCall piece in delta.ToolCalls ?? [])
            {
                int index = piece.Index ?? _calls.Count;
                if (!_calls.TryGetValue(index, out (ToolCall First, StringBuilder Arguments) call))
                    _calls.Add(index, call = (piece, new StringBuilder()));
                call.Arguments.Append(piece.Function?.Arguments);
            }
        }

        public Choice Build(int index) => new()
        {
            Index = index,
            FinishReason = _finish,
            Message = new Message
            {
                Role = _role ?? "assistant",
                Content = _content.ToString(),
                ReasoningContent = _reasoning.Length == 0 ? null : _reasoning.ToString(),
                ToolCalls = _calls.Count == 0 ? null
                    : [.. _calls.Select(call => call.Value.First with { Index = call.Key, Function = new FunctionCall { Name = call.Value.First.Function?.Name, Arguments = call.Value.Arguments.ToString() } })],
            },
        };
    }
}
