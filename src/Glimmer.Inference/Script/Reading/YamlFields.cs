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

    public TimeSpan Seconds(YamlNode node, string key) => TimeSpan.FromSeconds(Number(node, key, 86_400));

    public TimeSpan Duration(YamlNode node, string key) => TimeSpan.FromSeconds(Number(node, key, 31_536_000, 0.001));

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
        Count(node) is YamlMappingNode map ? map.Children.Select(member => (Word(member.Key, "a key"), member.Value)) : throw Wrong(node, $"{what} must be a mapping of keys and values.");

    public ScenarioException Unknown(YamlNode node, string key, string legal) => Wrong(node, $"there is no key \"{Short(key)}\" here; use {legal}.");

    public ScenarioException Wrong(YamlNode node, string problem, Exception? inner = null) => new($"{file}, line {node.Start.Line}: {problem}", inner);

    private YamlNode Count(YamlNode node) => ++_reads <= MostReads ? node : throw Wrong(node, "with its aliases written out the scenario is too large.");

    private static string Short(string text) => text.Length <= 80 ? text : text[..80] + "…";
}
