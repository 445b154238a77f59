using System.Text.Json;
using Glimmer.Protocol.Errors;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Glimmer.Inference.Script;

/// <summary>A scenario cannot be used. The message names the file, the line, the field and what would be right.</summary>
public sealed class ScenarioException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Reads scenarios from YAML (docs/script.md).</summary>
public sealed class ScenarioReader
{
    private const long LargestFile = 16 << 20;
    private readonly string _file;

    private ScenarioReader(string file) => _file = file;

    /// <summary>Reads a file.</summary>
    /// <exception cref="ScenarioException">It cannot be read, or is no scenario.</exception>
    public static Scenario ReadFile(string path)
    {
        try
        {
            if (new FileInfo(path).Length > LargestFile)
                throw new ScenarioException($"{path} is larger than {LargestFile >> 20} MiB; split the scenario.");
            using StreamReader text = new(path);
            return Read(text, path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ScenarioException($"{path} cannot be read: {fault.Message}", fault);
        }
    }

    /// <summary>Reads a text.</summary>
    /// <param name="text">YAML of one document.</param>
    /// <param name="file">Its name, for messages.</param>
    /// <exception cref="ScenarioException">It is no scenario.</exception>
    public static Scenario Read(TextReader text, string file)
    {
        YamlStream stream = [];
        try
        {
            stream.Load(text);
        }
        catch (Exception fault) when (fault is YamlException or InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            long line = fault is YamlException yaml ? yaml.Start.Line : 1;
            throw new ScenarioException($"{file}, line {line}: this is not YAML: {fault.Message}", fault);
        }

        if (stream.Documents.Count != 1)
            throw new ScenarioException($"{file}: a scenario is one YAML document; this file has {stream.Documents.Count}.");
        return new ScenarioReader(file).ReadScenario(stream.Documents[0].RootNode);
    }

    private Scenario ReadScenario(YamlNode root)
    {
        Scenario scenario = new();
        foreach ((string key, YamlNode value) in Members(root, "the scenario"))
        {
            scenario = key switch
            {
                "models" => scenario with { Models = Words(value, key) },
                "generation" => scenario with { Generation = GenerationName(value) },
                "rules" => scenario with { Rules = [.. Items(value, key).Select(ReadRule)] },
                "fallback" => scenario with { Fallback = ReadReply(value) },
                _ => throw Unknown(value, key, "models, generation, rules, fallback"),
            };
        }

        return scenario;
    }

    private ScenarioRule ReadRule(YamlNode node, int index)
    {
        ScenarioRule rule = new($"rule {index + 1}", new RequestPattern(), null, new ScriptedReply());
        bool replies = false;
        foreach ((string key, YamlNode value) in Members(node, rule.Name))
        {
            replies |= key == "reply";
            rule = key switch
            {
                "name" => rule with { Name = Word(value, key) },
                "when" => rule with { When = ReadPattern(value) },
                "times" => rule with { Times = Whole(value, key, 1) },
                "reply" => rule with { Reply = ReadReply(value) },
                _ => throw Unknown(value, key, "name, when, times, reply"),
            };
        }

        return replies ? rule : throw Wrong(node, $"{rule.Name} has no reply.");
    }

    private RequestPattern ReadPattern(YamlNode node)
    {
        RequestPattern pattern = new();
        foreach ((string key, YamlNode value) in Members(node, "when"))
        {
            pattern = key switch
            {
                "model" => pattern with { Models = Words(value, key) },
                "last" => pattern with { Last = Pattern(value, key) },
                "user" => pattern with { User = Pattern(value, key) },
                "system" => pattern with { System = Pattern(value, key) },
                "turn" => pattern with { Turn = Whole(value, key, 0) },
                "tool" => pattern with { Tool = Word(value, key) },
                "result_of" => pattern with { ResultOf = Word(value, key) },
                "thinking" => pattern with { Thinking = Flag(value, key) },
                _ => throw Unknown(value, key, "model, last, user, system, turn, tool, result_of, thinking"),
            };
        }

        return pattern;
    }

    private ScriptedReply ReadReply(YamlNode node)
    {
        if (node is YamlScalarNode text)
            return new ScriptedReply { Text = text.Value ?? "" };
        ScriptedReply reply = new();
        foreach ((string key, YamlNode value) in Members(node, "reply"))
        {
            reply = key switch
            {
                "thinking" => reply with { Thinking = Word(value, key) },
                "text" => reply with { Text = Word(value, key) },
                "raw" => reply with { Raw = Word(value, key) },
                "tool_calls" => reply with { ToolCalls = [.. Items(value, key).Select((call, _) => ReadCall(call))] },
                "repeat" => reply with { Repeat = Whole(value, key, 1, 1_000_000) },
                "end" => reply with { End = End(value) },
                "error" => reply with { Error = ReadError(value) },
                "delay" => reply with { Delay = Seconds(value, key) },
                "rate" => reply with { Rate = Number(value, key, 1e6) },
                "cut_after" => reply with { CutAfter = Whole(value, key, 0) },
                "cached_tokens" => reply with { CachedTokens = Whole(value, key, 0) },
                _ => throw Unknown(value, key, "thinking, text, raw, tool_calls, repeat, end, error, delay, rate, cut_after, cached_tokens"),
            };
        }

        if (reply.Raw is not null && (reply.Text ?? reply.Thinking) is not null)
            throw Wrong(node, "raw is the whole output; leave out text and thinking beside it.");
        return reply;
    }

    private ScriptedCall ReadCall(YamlNode node)
    {
        string? name = null;
        JsonElement arguments = JsonSerializer.SerializeToElement(new { });
        foreach ((string key, YamlNode value) in Members(node, "a call"))
        {
            switch (key)
            {
                case "name":
                    name = Word(value, key);
                    break;
                case "arguments":
                    arguments = ReadArguments(value);
                    break;
                default:
                    throw Unknown(value, key, "name, arguments");
            }
        }

        return new ScriptedCall(name ?? throw Wrong(node, "a call needs the name of its function."), arguments);
    }

    private JsonElement ReadArguments(YamlNode node)
    {
        JsonElement arguments;
        try
        {
            arguments = node is YamlScalarNode { Value: { } json } ? JsonDocument.Parse(json).RootElement : YamlJson.Read(node);
        }
        catch (Exception fault) when (fault is JsonException or FormatException)
        {
            throw Wrong(node, $"arguments: {fault.Message}", fault);
        }

        return arguments.ValueKind == JsonValueKind.Object ? arguments : throw Wrong(node, "arguments must be an object.");
    }

    private ScriptedError ReadError(YamlNode node)
    {
        BusinessCode? code = null;
        string? message = null;
        TimeSpan? retryAfter = null;
        foreach ((string key, YamlNode value) in node is YamlScalarNode ? [("code", node)] : Members(node, "error"))
        {
            switch (key)
            {
                case "code":
                    code = (BusinessCode)Whole(value, key, 1);
                    if (!Enum.IsDefined(code.Value))
                        throw Wrong(value, $"error: {code:D} is no code of the platform; see the list of errors, for example 1302.");
                    break;
                case "message":
                    message = Word(value, key);
                    break;
                case "retry_after":
                    retryAfter = Seconds(value, key);
                    break;
                default:
                    throw Unknown(value, key, "code, message, retry_after");
            }
        }

        return new ScriptedError(code ?? throw Wrong(node, "error needs a code, for example 1302."), message, retryAfter);
    }

    private ScriptedEnd End(YamlNode node) => Word(node, "end") switch
    {
        "stop" => ScriptedEnd.Stop,
        "length" => ScriptedEnd.Length,
        "sensitive" => ScriptedEnd.Sensitive,
        var other => throw Wrong(node, $"end is \"{other}\"; use stop, length or sensitive."),
    };

    private string GenerationName(YamlNode node)
    {
        string name = Word(node, "generation");
        try
        {
            return Glimmer.Dialogue.Generations.Generations.ForName(name).Name;
        }
        catch (ArgumentException fault)
        {
            throw Wrong(node, $"generation: {fault.Message}", fault);
        }
    }

    private TextPattern Pattern(YamlNode node, string key)
    {
        try
        {
            return TextPattern.Parse(Word(node, key));
        }
        catch (FormatException fault)
        {
            throw Wrong(node, $"{key} is no regular expression: {fault.Message}", fault);
        }
    }

    private bool Flag(YamlNode node, string key) => Word(node, key) switch
    {
        "true" => true,
        "false" => false,
        var other => throw Wrong(node, $"{key} is \"{other}\"; use true or false."),
    };

    private int Whole(YamlNode node, string key, int least, int most = int.MaxValue) =>
        int.TryParse(Word(node, key), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw Wrong(node, $"{key} is \"{Word(node, key)}\"; use a whole number from {least} to {most}.");

    private double Number(YamlNode node, string key, double most) =>
        double.TryParse(Word(node, key), System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out double number) && number >= 0 && number <= most
            ? number
            : throw Wrong(node, $"{key} is \"{Word(node, key)}\"; use a number from 0 to {most:R}.");

    private TimeSpan Seconds(YamlNode node, string key) => TimeSpan.FromSeconds(Number(node, key, 86_400));

    private IReadOnlyList<string> Words(YamlNode node, string key) =>
        node is YamlSequenceNode { Children.Count: > 0 } list ? [.. list.Children.Select(item => Word(item, key))] : [Word(node, key)];

    private string Word(YamlNode node, string key) =>
        node is YamlScalarNode { Value: { } text } ? text : throw Wrong(node, $"{key} must be a text.");

    private IReadOnlyList<YamlNode> Items(YamlNode node, string key) =>
        node is YamlSequenceNode list ? [.. list.Children] : throw Wrong(node, $"{key} must be a list.");

    private IEnumerable<(string Key, YamlNode Value)> Members(YamlNode node, string what) =>
        node is YamlMappingNode map ? map.Children.Select(member => (Word(member.Key, "a key"), member.Value)) : throw Wrong(node, $"{what} must be a mapping of keys and values.");

    private ScenarioException Unknown(YamlNode node, string key, string legal) => Wrong(node, $"there is no key \"{key}\" here; use {legal}.");

    private ScenarioException Wrong(YamlNode node, string problem, Exception? inner = null) => new($"{_file}, line {node.Start.Line}: {problem}", inner);
}
