using Glimmer.Dialogue.Conversations;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Glimmer.Inference.Script;

/// <summary>Reads the conditions of a rule.</summary>
internal static class PatternFields
{
    private const string Legal =
        "model, dialect, path, headers, user_id, stream, last, last_role, user, system, any, messages, turn, tool, tools, tool_choice, result_of, thinking, temperature, max_tokens, seed, response_format";

    private static readonly string[] Dialects = ["native", "openai", "anthropic", "ollama", "gemini"];

    public static RequestPattern Read(YamlFields fields, YamlNode node)
    {
        RequestPattern pattern = new();
        foreach ((string key, YamlNode value) in fields.Members(node, "when"))
        {
            pattern = key switch
            {
                "model" => pattern with { Models = fields.Words(value, key) },
                "dialect" => pattern with { Dialects = ReadDialects(fields, value) },
                "path" => pattern with { Path = fields.Pattern(value, key) },
                "headers" => pattern with { Headers = ReadHeaders(fields, value) },
                "user_id" => pattern with { EndUser = fields.Pattern(value, key) },
                "stream" => pattern with { Stream = fields.Flag(value, key) },
                "last" => pattern with { Last = fields.Pattern(value, key) },
                "last_role" => pattern with { LastRole = fields.OneOf(value, key, ("system", ChatRole.System), ("user", ChatRole.User), ("assistant", ChatRole.Assistant), ("tool", ChatRole.Tool)) },
                "user" => pattern with { User = fields.Pattern(value, key) },
                "system" => pattern with { System = fields.Pattern(value, key) },
                "any" => pattern with { Any = fields.Pattern(value, key) },
                "messages" => pattern with { Messages = fields.Whole(value, key, 0) },
                "turn" => pattern with { Turn = fields.Whole(value, key, 0) },
                "tool" => pattern with { Tool = fields.Word(value, key) },
                "tools" => pattern with { ToolCount = fields.Whole(value, key, 0) },
                "tool_choice" => pattern with
                {
                    ToolChoice = fields.OneOf(value, key, ("auto", ToolChoiceMode.Auto), ("none", ToolChoiceMode.None), ("required", ToolChoiceMode.Required), ("named", ToolChoiceMode.Named)),
                },
                "result_of" => pattern with { ResultOf = fields.Word(value, key) },
                "thinking" => pattern with { Thinking = fields.Flag(value, key) },
                "temperature" => pattern with { Temperature = fields.Number(value, key, 100) },
                "max_tokens" => pattern with { MaxTokens = fields.Whole(value, key, 1) },
                "seed" => pattern with { Seed = fields.Large(value, key) },
                "response_format" => pattern with
                {
                    Format = fields.OneOf(
                        value, key, ("text", AnswerFormatKind.Text), ("json_object", AnswerFormatKind.JsonObject), ("json_schema", AnswerFormatKind.JsonSchema),
                        ("regex", AnswerFormatKind.Regex), ("grammar", AnswerFormatKind.Grammar)),
                },
                _ => throw fields.Unknown(value, key, Legal),
            };
        }

        return pattern;
    }

    private static IReadOnlyList<string> ReadDialects(YamlFields fields, YamlNode node)
    {
        IReadOnlyList<string> words = fields.Words(node, "dialect");
        return words.FirstOrDefault(word => !Dialects.Contains(word, StringComparer.Ordinal)) is { } wrong
            ? throw fields.Wrong(node, $"dialect is \"{wrong}\"; use {string.Join(", ", Dialects)}.")
            : words;
    }

    private static List<(string Name, TextPattern? Value)> ReadHeaders(YamlFields fields, YamlNode node)
    {
        List<(string, TextPattern?)> headers = [];
        foreach ((string name, YamlNode value) in fields.Members(node, "headers"))
        {
            if (RequestOrigin.IsSecret(name))
                throw fields.Wrong(value, $"headers: {name} may hold a secret and is never compared; use another header, or user_id.");
            headers.Add((name, value is YamlScalarNode { Style: ScalarStyle.Plain, Value: "" or "~" or "null" or null } ? null : fields.Pattern(value, $"headers.{name}")));
        }

        return headers;
    }
}
