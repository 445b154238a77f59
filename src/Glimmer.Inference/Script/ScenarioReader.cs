using System.Globalization;
using Glimmer.Protocol.Errors;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Glimmer.Inference.Script;

/// <summary>A scenario cannot be used. The message names the file, the line, the field and what would be right.</summary>
public sealed class ScenarioException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Reads scenarios from YAML (docs/script.md). Size, depth, aliases and every number are bounded.</summary>
public sealed class ScenarioReader
{
    /// <summary>Largest file, in bytes.</summary>
    public const int LargestFile = 16 << 20;

    private const int MostReplies = 10_000;
    private const int MostDimensions = 1 << 14;
    private readonly YamlFields _fields;
    private readonly Scenario? _base;

    private ScenarioReader(string file, Scenario? onto)
    {
        _fields = new YamlFields(file);
        _base = onto;
    }

    /// <summary>Reads some files as one scenario: rules, limits, embeddings and recordings one after the other, models together; of the rest the last file that says it counts.</summary>
    /// <param name="paths">At least one.</param>
    /// <exception cref="ScenarioException">One cannot be read, or is no scenario.</exception>
    public static Scenario ReadFiles(IReadOnlyList<string> paths)
    {
        Scenario scenario = ReadFile(paths[0]);
        foreach (string path in paths.Skip(1))
            scenario = ReadFile(path, scenario);
        return scenario;
    }

    /// <summary>Reads a file.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="onto">A scenario that it goes on; null for none.</param>
    /// <exception cref="ScenarioException">It cannot be read, or is no scenario.</exception>
    public static Scenario ReadFile(string path, Scenario? onto = null)
    {
        try
        {
            if (new FileInfo(path).Length > LargestFile)
                throw new ScenarioException($"{path} is larger than {LargestFile >> 20} MiB; split the scenario.");
            using StreamReader text = new(path);
            return Read(text, path, onto);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ScenarioException($"{path} cannot be read: {fault.Message}", fault);
        }
    }

    /// <summary>Reads a text.</summary>
    /// <param name="text">YAML of one document.</param>
    /// <param name="file">Its name, for messages.</param>
    /// <param name="onto">A scenario that it goes on; null for none.</param>
    /// <exception cref="ScenarioException">It is no scenario.</exception>
    public static Scenario Read(TextReader text, string file, Scenario? onto = null)
    {
        YamlStream stream = [];
        try
        {
            stream.Load(new BoundedParser(new Parser(text)));
        }
        catch (Exception fault) when (fault is YamlException or InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            long line = fault is YamlException yaml ? yaml.Start.Line : 1;
            throw new ScenarioException($"{file}, line {line}{(fault is YamlException { Start.Column: var column } ? $", column {column}" : "")}: this is not YAML: {fault.Message}", fault);
        }

        if (stream.Documents.Count != 1)
            throw new ScenarioException($"{file}: a scenario is one YAML document; this file has {stream.Documents.Count}.");
        return new ScenarioReader(file, onto).ReadScenario(stream.Documents[0].RootNode);
    }

    private Scenario ReadScenario(YamlNode root)
    {
        Scenario scenario = _base ?? new Scenario();
        foreach ((string key, YamlNode value) in _fields.Members(root, "the scenario"))
        {
            scenario = key switch
            {
                ['x', '-', ..] => scenario, // a place for anchors
                "models" => scenario with { Models = [.. (_base?.Models ?? []).Union(_fields.Words(value, key), StringComparer.OrdinalIgnoreCase)] },
                "generation" => scenario with { Generation = GenerationName(value) },
                "seed" => scenario with { Seed = _fields.Large(value, key) },
                "strict" => scenario with { Strict = _fields.Flag(value, key) },
                "rules" => scenario with { Rules = [.. scenario.Rules, .. _fields.Items(value, key).Select((item, i) => ReadRule(item, scenario.Rules.Count + i))] },
                "fallback" => scenario with { Fallback = ReplyFields.Read(_fields, value) },
                "limits" => scenario with { Limits = [.. scenario.Limits, .. _fields.Items(value, key).Select((item, i) => ReadLimit(item, scenario.Limits.Count + i))] },
                "embeddings" => scenario with { Embeddings = [.. scenario.Embeddings, .. _fields.Items(value, key).Select(ReadEmbeddings)] },
                "recordings" => scenario with { Recordings = [.. scenario.Recordings, .. ReadRecordings(value)] },
                "recorded_pace" => scenario with { RecordedPace = _fields.Flag(value, key) },
                _ => throw _fields.Unknown(value, key, "models, generation, seed, strict, rules, fallback, limits, embeddings, recordings, recorded_pace"),
            };
        }

        return scenario;
    }

    private ScenarioRule ReadRule(YamlNode node, int index)
    {
        ScenarioRule rule = new($"rule {index + 1}", new RequestPattern(), null, new ScriptedReply());
        bool replies = false;
        IReadOnlyList<ScriptedReply> sequence = [];
        foreach ((string key, YamlNode value) in _fields.Members(node, rule.Name))
        {
            replies |= key == "reply";
            if (key == "replies")
            {
                sequence = [.. _fields.Items(value, key).Select(reply => ReplyFields.Read(_fields, reply))];
                if (sequence.Count is 0 or > MostReplies)
                    throw _fields.Wrong(value, $"replies: give 1 to {MostReplies}.");
                continue;
            }

            rule = key switch
            {
                "name" => rule with { Name = _fields.Word(value, key) },
                "when" => rule with { When = PatternFields.Read(_fields, value) },
                "times" => rule with { Times = _fields.Whole(value, key, 1) },
                "expect" => rule with { Expect = ReadExpectation(value) },
                "reply" => rule with { Reply = ReplyFields.Read(_fields, value) },
                _ => throw _fields.Unknown(value, key, "name, when, times, expect, reply, replies"),
            };
        }

        if (replies && sequence.Count > 0)
            throw _fields.Wrong(node, $"{rule.Name} has reply and replies; keep one.");
        return sequence.Count > 0 ? rule with { Reply = sequence[0], Sequel = [.. sequence.Skip(1)] }
            : replies ? rule
            : throw _fields.Wrong(node, $"{rule.Name} has no reply.");
    }

    private Expectation ReadExpectation(YamlNode node)
    {
        if (node is YamlScalarNode)
        {
            int times = _fields.Whole(node, "expect", 0);
            return new Expectation(times, times);
        }

        Expectation expectation = new(0, null);
        foreach ((string key, YamlNode value) in _fields.Members(node, "expect"))
        {
            int count = _fields.Whole(value, key, 0);
            expectation = key switch
            {
                "times" => new Expectation(count, count),
                "at_least" => expectation with { AtLeast = count },
                "at_most" => expectation with { AtMost = count },
                _ => throw _fields.Unknown(value, key, "times, at_least, at_most"),
            };
        }

        return expectation.AtLeast <= (expectation.AtMost ?? int.MaxValue) ? expectation : throw _fields.Wrong(node, "expect: at_least is more than at_most.");
    }

    private ScenarioLimit ReadLimit(YamlNode node, int index)
    {
        ScenarioLimit limit = new($"limit {index + 1}", -1, TimeSpan.FromMinutes(1), null, LimitScope.Key, new ScriptedError(BusinessCode.ConcurrencyExceeded, null, null));
        foreach ((string key, YamlNode value) in _fields.Members(node, limit.Name))
        {
            limit = key switch
            {
                "name" => limit with { Name = _fields.Word(value, key) },
                "requests" => limit with { Requests = _fields.Whole(value, key, 0, 100_000) },
                "window" => limit with { Window = _fields.Duration(value, key) },
                "model" => limit with { Models = _fields.Words(value, key) },
                "per" => limit with { Per = _fields.OneOf(value, key, ("key", LimitScope.Key), ("user", LimitScope.User), ("all", LimitScope.All)) },
                "error" => limit with { Error = ReplyFields.ReadError(_fields, value) },
                _ => throw _fields.Unknown(value, key, "name, requests, window, model, per, error"),
            };
        }

        return limit.Requests >= 0 ? limit : throw _fields.Wrong(node, $"{limit.Name} needs a number of requests.");
    }

    private ScriptedEmbeddings ReadEmbeddings(YamlNode node)
    {
        string? model = null;
        int? dimensions = null;
        List<(YamlNode Node, ScriptedVector Vector)> vectors = [];
        foreach ((string key, YamlNode value) in _fields.Members(node, "embeddings"))
        {
            switch (key)
            {
                case "model":
                    model = _fields.Word(value, key);
                    break;
                case "dimensions":
                    dimensions = _fields.Whole(value, key, 1, MostDimensions);
                    break;
                case "vectors":
                    vectors.AddRange(_fields.Items(value, key).Select(item => (item, ReadVector(item))));
                    break;
                default:
                    throw _fields.Unknown(value, key, "model, dimensions, vectors");
            }
        }

        int numbers = dimensions ?? (vectors.Count > 0 ? vectors[0].Vector.Vector.Length : 1024);
        foreach ((YamlNode item, ScriptedVector vector) in vectors)
        {
            if (vector.Vector.Length != numbers)
                throw _fields.Wrong(item, string.Create(CultureInfo.InvariantCulture, $"this vector has {vector.Vector.Length} numbers; the model's have {numbers}."));
        }

        return new ScriptedEmbeddings(model ?? throw _fields.Wrong(node, "embeddings need a model."), numbers, [.. vectors.Select(pair => pair.Vector)]);
    }

    private ScriptedVector ReadVector(YamlNode node)
    {
        TextPattern? text = null;
        float[]? vector = null;
        foreach ((string key, YamlNode value) in _fields.Members(node, "a vector"))
        {
            switch (key)
            {
                case "text":
                    text = _fields.Pattern(value, key);
                    break;
                case "vector":
                    vector = [.. _fields.Items(value, key).Take(MostDimensions + 1).Select(number => (float)_fields.Number(number, key, float.MaxValue, float.MinValue))];
                    break;
                default:
                    throw _fields.Unknown(value, key, "text, vector");
            }
        }

        return text is not null && vector is { Length: >= 1 and <= MostDimensions } ? new ScriptedVector(text, vector) : throw _fields.Wrong(node, $"a vector needs a text and 1 to {MostDimensions} numbers.");
    }

    private List<Recording> ReadRecordings(YamlNode node)
    {
        if (node is YamlScalarNode { Value: "" })
            return [];
        IReadOnlyList<YamlNode> items = _fields.Items(node, "recordings");
        return items.Count <= RecordingFile.MostRecordings
            ? [.. items.Select(item => RecordingFields.Read(_fields, item))]
            : throw _fields.Wrong(node, $"there are {items.Count} recordings; use at most {RecordingFile.MostRecordings}.");
    }

    private string GenerationName(YamlNode node)
    {
        string name = _fields.Word(node, "generation");
        try
        {
            return Glimmer.Dialogue.Generations.Generations.ForName(name).Name;
        }
        catch (ArgumentException fault)
        {
            throw _fields.Wrong(node, $"generation: {fault.Message}", fault);
        }
    }
}
