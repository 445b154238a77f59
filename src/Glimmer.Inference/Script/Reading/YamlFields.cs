using System.Globalization;
using Glimmer.Protocol.Errors;
using YamlDotNet.RepresentationModel;

namespace Glimmer.Inference.Script;

/// <summary>Reads single fields of a scenario. Every fault names the file, the line, the field and what would be legal.</summary>
/// <param name="file">Name of the file, for messages.</param>
internal sealed class YamlFields(string file)
{
    // What is read, not what is written: aliases can make a small file stand for a huge one.
    private const int MostReads = 5_000_000;
    private const int MostMerges = 16;
    private readonly Dictionary<YamlNode, YamlNode> _keys = new(ReferenceEqualityComparer.Instance);
    private int _reads;

    public bool Flag(YamlNode node, string key) => Word(node, key) switch
    {
        "true" => true,
        "false" => false,
        var other => throw Wrong(node, $"{key} is \"{Short(other)}\"; use true or false."),
    };

    public int Whole(YamlNode node, string key, int least, int most = int.MaxValue) =>
        int.TryParse(Word(node, key), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw Wrong(node, $"{key} is \"{Short(Word(node, key))}\"; use a whole number from {least} to {most}.");

    public ulong Large(YamlNode node, string key) =>
        ulong.TryParse(Word(node, key), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
            ? number
            : throw Wrong(node, $"{key} is \"{Short(Word(node, key))}\"; use a whole number from 0 to {ulong.MaxValue}.");

    public double Number(YamlNode node, string key, double most, double least = 0) =>
        double.TryParse(Word(node, key), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= least && number <= most
            ? number
            : throw Wrong(node, string.Create(CultureInfo.InvariantCulture, $"{key} is \"{Short(Word(node, key))}\"; use a number from {least:R} to {most:R}."));

    /// <summary>A span of time: seconds, or a number with ms, s, m or h; at most a day.</summary>
    public TimeSpan Seconds(YamlNode node, string key) => Span(node, key, 0, 86_400);

    /// <summary>The same, from a millisecond to a year.</summary>
    public TimeSpan Duration(YamlNode node, string key) => Span(node, key, 0.001, 31_536_000);

    public TextPattern Pattern(YamlNode node, string key)
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

    /// <summary>One of some words, as what it stands for.</summary>
    public T OneOf<T>(YamlNode node, string key, params ReadOnlySpan<(string Word, T Value)> legal)
    {
        string word = Word(node, key);
        List<string> words = [];
        foreach ((string name, T value) in legal)
        {
            if (string.Equals(name, word, StringComparison.Ordinal))
                return value;
            words.Add(name);
        }

        throw Wrong(node, $"{key} is \"{Short(word)}\"; use {string.Join(", ", words.SkipLast(1))} or {words[^1]}.");
    }

    public BusinessCode Code(YamlNode node, string key)
    {
        BusinessCode code = (BusinessCode)Whole(node, key, 1);
        return Enum.IsDefined(code) ? code : throw Wrong(node, $"error: {code:D} is no code of the platform; see the list of errors, for example 1302.");
    }

    public IReadOnlyList<string> Words(YamlNode node, string key) =>
        node is YamlSequenceNode { Children.Count: > 0 } list ? [.. list.Children.Select(item => Word(item, key))] : [Word(node, key)];

    public string Word(YamlNode node, string key) =>
        Count(node) is YamlScalarNode { Value: { } text } ? text : throw Wrong(node, $"{key} must be a text.");

    public IReadOnlyList<YamlNode> Items(YamlNode node, string key) =>
        Count(node) is YamlSequenceNode list ? [.. list.Children] : throw Wrong(node, $"{key} must be a list.");

    public IEnumerable<(string Key, YamlNode Value)> Members(YamlNode node, string what) =>
        Count(node) is YamlMappingNode map ? Merged(map, 0) : throw Wrong(node, $"{what} must be a mapping of keys and values.");

    public ScenarioException Unknown(YamlNode node, string key, string legal) =>
        Wrong(_keys.GetValueOrDefault(node) ?? node, $"there is no key \"{Short(key)}\" here; {(NearestWord.To(key, legal.Split(", ")) is { } near ? $"did you mean {near}? Use " : "use ")}{legal}.");

    public ScenarioException Wrong(YamlNode node, string problem, Exception? inner = null) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{file}, line {node.Start.Line}, column {node.Start.Column}: {problem}"), inner);

    private TimeSpan Span(YamlNode node, string key, double least, double most)
    {
        string text = Word(node, key);
        (string number, double unit) = text switch
        {
            [.. var head, 'm', 's'] => (head, 0.001),
            [.. var head, 's'] => (head, 1.0),
            [.. var head, 'm'] => (head, 60.0),
            [.. var head, 'h'] => (head, 3600.0),
            _ => (text, 1.0),
        };
        return double.TryParse(number, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double count) && count * unit >= least && count * unit <= most
            ? TimeSpan.FromSeconds(count * unit)
            : throw Wrong(node, string.Create(CultureInfo.InvariantCulture, $"{key} is \"{Short(text)}\"; use seconds from {least:R} to {most:R}, or a number with ms, s, m or h, such as 500ms."));
    }

    /// <summary>The members of a mapping, with those of the mappings that its key &lt;&lt; names behind them, unless it has them itself.</summary>
    private List<(string Key, YamlNode Value)> Merged(YamlMappingNode map, int depth)
    {
        List<(string Key, YamlNode Value)> members = [];
        List<YamlMappingNode> others = [];
        foreach ((YamlNode name, YamlNode value) in map.Children)
        {
            string key = Word(name, "a key");
            _keys[value] = name;
            if (key != "<<")
                members.Add((key, value));
            else
                others.AddRange((value is YamlSequenceNode list ? list.Children : [value]).Select(other => Count(other) as YamlMappingNode ?? throw Wrong(other, "<< takes a mapping, or a list of them.")));
        }

        foreach (YamlMappingNode other in others)
        {
            if (depth >= MostMerges)
                throw Wrong(other, $"<< goes deeper than {MostMerges} mappings.");
            foreach ((string key, YamlNode value) in Merged(other, depth + 1))
            {
                if (!members.Exists(member => member.Key == key))
                    members.Add((key, value));
            }
        }

        return members;
    }

    private YamlNode Count(YamlNode node) => ++_reads <= MostReads ? node : throw Wrong(node, "with its aliases written out the scenario is too large.");

    private static string Short(string text) => text.Length <= 80 ? text : text[..80] + "…";
}
