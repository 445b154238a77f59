using System.Globalization;
using Glimmer.Shared.Yaml;

namespace Glimmer.Inference.Routing.Definitions;

/// <summary>Reads values of a file of backends; every error names file, line, key and what is legal.</summary>
internal sealed class BackendFields(string file)
{
    private const long LargestSecret = 64 << 10;

    public string File => file;

    public IEnumerable<(string Key, YamlTree Value)> Members(YamlTree node, string what) =>
        node.Members ?? throw Wrong(node, $"{what} must be keys with values.");

    public List<YamlTree> Items(YamlTree node, string key, int most)
    {
        List<YamlTree> items = node.Items ?? throw Wrong(node, $"{key} must be a list.");
        return items.Count <= most ? items : throw Wrong(node, $"{key} has {items.Count} entries; at most {most} are allowed.");
    }

    public string Text(YamlTree node, string key, int most = 2048) =>
        node.Scalar is not { Length: > 0 } text ? throw Wrong(node, $"{key} must be a text.")
        : text.Length > most ? throw Wrong(node, $"{key} is longer than {most} characters.")
        : text.Any(char.IsControl) ? throw Wrong(node, $"{key} has control characters in it.")
        : text;

    public int Whole(YamlTree node, string key, int least, int most) =>
        int.TryParse(Text(node, key), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw Wrong(node, $"{key} is \"{node.Scalar}\"; use a whole number from {least} to {most}.");

    public double Number(YamlTree node, string key, double least, double most) =>
        double.TryParse(Text(node, key), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number >= least && number <= most
            ? number
            : throw Wrong(node, string.Create(CultureInfo.InvariantCulture, $"{key} is \"{node.Scalar}\"; use a number from {least} to {most}."));

    /// <summary>A time: <c>5</c> and <c>5s</c> are seconds, <c>250ms</c> and <c>2m</c> say their unit.</summary>
    public TimeSpan Time(YamlTree node, string key, TimeSpan least, TimeSpan most)
    {
        string text = Text(node, key);
        (string number, double unit) = text switch
        {
            [.. var head, 'm', 's'] => (head, 0.001),
            [.. var head, 's'] => (head, 1),
            [.. var head, 'm'] => (head, 60),
            _ => (text, 1.0),
        };
        return double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && value * unit <= most.TotalSeconds && TimeSpan.FromSeconds(value * unit) is var time && time >= least
            ? time
            : throw Wrong(node, $"{key} is \"{text}\"; use a time from {Say(least)} to {Say(most)}, such as 500ms, 5s or 2m.");
    }

    /// <summary>A secret, or a value that may be one: <c>env:NAME</c> is the variable's, <c>file:PATH</c> the file's first line, everything else itself.</summary>
    /// <param name="node">Where it stands.</param>
    /// <param name="key">Its key.</param>
    /// <param name="literal">Whether it stands in the file itself.</param>
    public string Secret(YamlTree node, string key, out bool literal)
    {
        string text = Text(node, key, 16384);
        literal = false;
        if (text.StartsWith("env:", StringComparison.Ordinal))
        {
            string name = text["env:".Length..].Trim();
            return Environment.GetEnvironmentVariable(name) is { Length: > 0 } value
                ? Fit(value.Trim(), node, key)
                : throw Wrong(node, $"{key} names the variable {name}, which is not set; set it, or use file:PATH.");
        }

        if (text.StartsWith("file:", StringComparison.Ordinal))
        {
            string path = PathOf(text["file:".Length..].Trim());
            try
            {
                if (new FileInfo(path) is { Exists: true, Length: > LargestSecret })
                    throw Wrong(node, $"{key}: {path} is too large for a key.");
                using StreamReader reader = new(path);
                return reader.ReadLine()?.Trim() is { Length: > 0 } line ? Fit(line, node, key) : throw Wrong(node, $"{key}: {path} has no first line.");
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
            {
                throw Wrong(node, $"{key}: {path} cannot be read: {fault.Message}", fault);
            }
        }

        literal = true;
        return text;
    }

    /// <summary>A path as it is meant: relative ones begin at the file's folder.</summary>
    public string PathOf(string path) => Path.GetFullPath(path, Path.GetDirectoryName(Path.GetFullPath(file)) ?? Environment.CurrentDirectory);

    public BackendFileException Unknown(YamlTree node, string key, string legal) => Wrong(node, $"there is no key \"{Short(key)}\" here; use {legal}.");

    public BackendFileException Wrong(YamlTree node, string problem, Exception? inner = null) => new($"{file}, line {node.Line}: {problem}", inner);

    private static string Short(string text) => text.Length <= 64 ? text : text[..64] + "…";

    private static string Say(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.###}s");

    private string Fit(string value, YamlTree node, string key) =>
        value.Length <= 16384 && !value.Any(char.IsControl) ? value : throw Wrong(node, $"{key}: the value it names is too long or has control characters in it.");
}
