using System.Globalization;

namespace Glimmer.Compare;

/// <summary>One line of a plan: what to measure, on which model, with which numbers.</summary>
/// <param name="Measure">Name of a measure: <c>bench</c>, <c>start</c>, <c>prefix</c>, <c>streams</c>, <c>pauses</c>.</param>
/// <param name="Model">File name of the model without <c>.gguf</c>.</param>
/// <param name="Numbers">The numbers that the line gives, by name.</param>
internal sealed record PlanStep(string Measure, string Model, IReadOnlyDictionary<string, int> Numbers)
{
    /// <summary>Numbers that a step may have.</summary>
    private static readonly string[] _names = ["threads", "rounds", "prompt", "decode", "depth", "streams", "tokens"];

    /// <summary>Measures that there are.</summary>
    private static readonly string[] _measures = ["bench", "start", "prefix", "streams", "pauses"];

    public int Threads => Get("threads", 1);

    public int Rounds => Get("rounds", 3);

    /// <summary>A number of the step, or <paramref name="otherwise"/>.</summary>
    public int Get(string name, int otherwise) => Numbers.TryGetValue(name, out int value) ? value : otherwise;

    /// <summary>Reads a plan: a step per line, <c>MEASURE MODEL name=number …</c>; <c>#</c> begins a comment.</summary>
    /// <exception cref="FormatException">A line is not a step; the message names it.</exception>
    public static IReadOnlyList<PlanStep> ParseAll(IEnumerable<string> lines)
    {
        List<PlanStep> steps = [];
        int number = 0;
        foreach (string line in lines)
        {
            number++;
            string[] words = line.Split('#')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (words.Length == 0)
                continue;
            if (words.Length < 2 || !_measures.Contains(words[0], StringComparer.Ordinal))
                throw new FormatException($"line {number}: a step is MEASURE MODEL name=number …, with one of the measures {string.Join(", ", _measures)}");
            Dictionary<string, int> numbers = new(StringComparer.Ordinal);
            foreach (string word in words[2..])
            {
                string[] pair = word.Split('=');
                if (pair.Length != 2 || !_names.Contains(pair[0], StringComparer.Ordinal) || !int.TryParse(pair[1], NumberStyles.None, CultureInfo.InvariantCulture, out int value))
                    throw new FormatException($"line {number}: '{word}' is not name=number with one of the names {string.Join(", ", _names)}");
                numbers[pair[0]] = value;
            }

            if (numbers.GetValueOrDefault("threads", 1) < 1 || numbers.GetValueOrDefault("rounds", 1) < 1)
                throw new FormatException($"line {number}: threads and rounds are at least 1");
            steps.Add(new PlanStep(words[0], words[1], numbers));
        }

        return steps;
    }
}
