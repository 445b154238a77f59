using System.Globalization;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Inference.Script;

/// <summary>Compares requests with patterns: quickly, to find who answers, or condition by condition, to say why nobody does.</summary>
internal static class RequestMatcher
{
    private const int LongestShown = 160;

    /// <summary>Whether every condition of a pattern holds. Stops at the first that does not.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="request">The request.</param>
    /// <param name="groups">What expressions matched, for the reply's text; empty for none.</param>
    public static bool Matches(RequestPattern pattern, ChatRequest request, out IReadOnlyList<string> groups)
    {
        Tally tally = default;
        return Compare(pattern, request, ref tally, out groups);
    }

    /// <summary>How each condition of a pattern fares.</summary>
    public static IReadOnlyList<PatternCheck> Explain(RequestPattern pattern, ChatRequest request)
    {
        Tally tally = new() { Checks = [] };
        Compare(pattern, request, ref tally, out _);
        return tally.Checks!;
    }

    /// <summary>The text parts of a message.</summary>
    public static string VisibleText(ChatMessage message) =>
        message.Content is [TextPart only] ? only.Text : string.Concat(message.Content.Select(part => part switch
        {
            TextPart text => text.Text,
            ToolOutputPart output => output.Output,
            _ => "",
        }));

    /// <summary>The wire's word for a role.</summary>
    public static string WordOf(ChatRole role) => role switch
    {
        ChatRole.System => "system",
        ChatRole.User => "user",
        ChatRole.Assistant => "assistant",
        _ => "tool",
    };

    /// <summary>The wire's word for a form of an answer.</summary>
    public static string WordOf(AnswerFormatKind kind) => kind switch
    {
        AnswerFormatKind.JsonObject => "json_object",
        AnswerFormatKind.JsonSchema => "json_schema",
        AnswerFormatKind.Regex => "regex",
        AnswerFormatKind.Grammar => "grammar",
        _ => "text",
    };

    /// <summary>A text on one line, quoted, cut to a bound.</summary>
    public static string Show(string text)
    {
        string line = (text.Length <= LongestShown ? text : text[..(char.IsHighSurrogate(text[LongestShown - 1]) ? LongestShown - 1 : LongestShown)]).ReplaceLineEndings("⏎");
        return text.Length <= LongestShown ? $"\"{line}\"" : string.Create(CultureInfo.InvariantCulture, $"\"{line}…\" ({text.Length} characters)");
    }

    private static bool Compare(RequestPattern pattern, ChatRequest request, ref Tally tally, out IReadOnlyList<string> groups)
    {
        groups = [];
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        ChatMessage? last = messages.Count > 0 ? messages[^1] : null;
        return IsOf(pattern.Models, request.Model, "model", ref tally)
            && Origin(pattern, request.Origin, ref tally)
            && Is(pattern.Turn, pattern.Turn is null ? 0 : messages.Count(static message => message.Role == ChatRole.Assistant), "turn", ref tally)
            && Is(pattern.Messages, messages.Count, "messages", ref tally)
            && Offers(pattern.Tool, request, ref tally)
            && Is(pattern.ToolCount, request.Conversation.Tools.Count, "tools", ref tally)
            && Is(pattern.ToolChoice, request.ToolChoice.Mode, "tool_choice", ref tally)
            && ResultOf(pattern.ResultOf, messages, ref tally)
            && Is(pattern.Thinking, request.Conversation.Options.EnableThinking != false, "thinking", ref tally)
            && Temperature(pattern.Temperature, request, ref tally)
            && Is(pattern.MaxTokens, request.MaxTokens ?? -1, "max_tokens", ref tally)
            && Is(pattern.Seed, request.Sampling.Seed ?? ulong.MaxValue, "seed", ref tally)
            && Word(pattern.Format is { } format ? WordOf(format) : null, WordOf(request.Format.Kind), "response_format", ref tally)
            && Word(pattern.LastRole is { } role ? WordOf(role) : null, last is null ? "none" : WordOf(last.Role), "last_role", ref tally)
            && Text(pattern.System, pattern.System is null ? "" : SystemText(messages), "system", ref tally, ref groups)
            && Any(pattern.Any, messages, ref tally, ref groups)
            && Text(pattern.User, pattern.User is null ? "" : messages.LastOrDefault(static message => message.Role == ChatRole.User) is { } user ? VisibleText(user) : "", "user", ref tally, ref groups)
            && Text(pattern.Last, pattern.Last is null || last is null ? "" : VisibleText(last), "last", ref tally, ref groups);
    }

    private static bool Any(TextPattern? wanted, IReadOnlyList<ChatMessage> messages, ref Tally tally, ref IReadOnlyList<string> groups)
    {
        if (wanted is null)
            return true;
        IReadOnlyList<string>? found = null;
        bool held = messages.Any(message => wanted.Matches(VisibleText(message), out found));
        if (held && found is { Count: > 0 })
            groups = found;
        return tally.Note(held, "any", tally.Explains ? Show(wanted.ToString()) : "", tally.Explains ? string.Create(CultureInfo.InvariantCulture, $"none of {messages.Count} messages") : "");
    }

    private static bool Origin(RequestPattern pattern, RequestOrigin? origin, ref Tally tally)
    {
        IReadOnlyList<string> none = [];
        bool go = IsOf(pattern.Dialects, origin?.Dialect ?? "none", "dialect", ref tally)
            && (pattern.Stream is not { } stream || tally.Note(stream == (origin?.Stream ?? false), "stream", stream ? "true" : "false", origin?.Stream == true ? "true" : "false"))
            && Text(pattern.Path, origin?.Path ?? "", "path", ref tally, ref none)
            && (pattern.EndUser is null || TextOrNone(pattern.EndUser, origin?.EndUser, "user_id", ref tally));
        for (int i = 0; go && i < pattern.Headers.Count; i++)
        {
            (string name, TextPattern? value) = pattern.Headers[i];
            string? sent = origin?.Header(name);
            go = value is null ? tally.Note(sent is null, $"headers.{name}", "none", sent is null ? "none" : Show(sent)) : TextOrNone(value, sent, $"headers.{name}", ref tally);
        }

        return go;
    }

    private static bool TextOrNone(TextPattern wanted, string? text, string name, ref Tally tally) =>
        tally.Note(text is not null && wanted.Matches(text, out _), name, tally.Explains ? Show(wanted.ToString()) : "", tally.Explains ? text is null ? "none" : Show(text) : "");

    private static bool IsOf(IReadOnlyList<string>? wanted, string actual, string name, ref Tally tally) =>
        wanted is null || tally.Note(wanted.Contains(actual, StringComparer.OrdinalIgnoreCase), name, tally.Explains ? string.Join(" or ", wanted.Take(8)) : "", actual);

    private static bool Is<T>(T? wanted, T actual, string name, ref Tally tally)
        where T : struct, IEquatable<T> =>
        wanted is not { } value || tally.Note(value.Equals(actual), name, tally.Explains ? Plain(value) : "", tally.Explains ? Plain(actual) : "");

    private static bool Is(ToolChoiceMode? wanted, ToolChoiceMode actual, string name, ref Tally tally) =>
        wanted is not { } value || tally.Note(value == actual, name, Plain(value), Plain(actual));

    private static bool Word(string? wanted, string actual, string name, ref Tally tally) =>
        wanted is null || tally.Note(string.Equals(wanted, actual, StringComparison.Ordinal), name, wanted, actual);

    private static bool Offers(string? tool, ChatRequest request, ref Tally tally)
    {
        if (tool is null)
            return true;
        bool offered = false;
        foreach (ToolDefinition definition in request.Conversation.Tools)
            offered |= string.Equals(definition.Name, tool, StringComparison.Ordinal);
        return tally.Note(offered, "tool", tool, tally.Explains ? request.Conversation.Tools.Count == 0 ? "no tools" : string.Join(", ", request.Conversation.Tools.Take(16).Select(offer => offer.Name)) : "");
    }

    private static bool ResultOf(string? tool, IReadOnlyList<ChatMessage> messages, ref Tally tally)
    {
        if (tool is null)
            return true;
        string? called = CalledBy(messages);
        return tally.Note(string.Equals(tool, called, StringComparison.Ordinal), "result_of", tool, called ?? "no result");
    }

    private static bool Temperature(double? wanted, ChatRequest request, ref Tally tally)
    {
        if (wanted is not { } value)
            return true;
        double actual = request.Sampling.Greedy ? 0 : request.Sampling.Temperature;
        return tally.Note(Math.Abs(value - actual) < 1e-6, "temperature", Plain(value), Plain(Math.Round(actual, 6)));
    }

    private static bool Text(TextPattern? wanted, string text, string name, ref Tally tally, ref IReadOnlyList<string> groups)
    {
        if (wanted is null)
            return true;
        bool held = wanted.Matches(text, out IReadOnlyList<string>? found);
        if (found is { Count: > 0 })
            groups = found;
        return tally.Note(held, name, tally.Explains ? Show(wanted.ToString()) : "", tally.Explains ? Show(text) : "");
    }

    private static string Plain<T>(T value)
        where T : struct => (object)value switch
        {
            bool flag => flag ? "true" : "false",
            -1 or ulong.MaxValue => "none",
            IFormattable number => number.ToString(null, CultureInfo.InvariantCulture).ToLowerInvariant(),
            _ => value.ToString() ?? "",
        };

    private static string SystemText(IReadOnlyList<ChatMessage> messages) =>
        string.Join('\n', messages.Where(message => message.Role == ChatRole.System).Select(VisibleText));

    /// <summary>The function whose result the last message is: found by the id of the call, else the last call made.</summary>
    private static string? CalledBy(IReadOnlyList<ChatMessage> messages)
    {
        if (messages is not [.., { Role: ChatRole.Tool } result])
            return null;
        for (int i = messages.Count - 2; i >= 0; i--)
        {
            if (messages[i].Role != ChatRole.Assistant)
                continue;
            ToolCall? call = messages[i].ToolCalls.FirstOrDefault(call => string.Equals(call.Id, result.ToolCallId, StringComparison.Ordinal));
            return (call ?? (messages[i].ToolCalls is [.., { } last] ? last : null))?.Name;
        }

        return null;
    }

    /// <summary>What became of the conditions so far. Explaining goes on after one that does not hold; matching stops there.</summary>
    private struct Tally
    {
        public List<PatternCheck>? Checks;

        public readonly bool Explains => Checks is not null;

        public readonly bool Note(bool held, string condition, string expected, string actual)
        {
            Checks?.Add(new PatternCheck(condition, expected, actual, held));
            return held || Explains;
        }
    }
}
