using Glimmer.Server.Hosting;

namespace Glimmer.Server.Messages;

/// <summary>
/// Turns the model names of other vendors, which tools send by default, into codes of the catalogue. Rules are tried in order; a name that none
/// matches stays as it is. A suffix in brackets, such as <c>[1m]</c>, is taken off.
/// </summary>
internal sealed class ModelNames
{
    /// <summary>Rules where the settings give none (spec: api.md §23).</summary>
    public const string DefaultRules = "claude*haiku*=glm-4.5-air;claude*=glm-4.7;haiku=glm-4.5-air;sonnet=glm-4.7;opus=glm-4.7";

    private readonly List<(NamePattern Name, string Code)> _rules = [];

    public ModelNames(GlimmerOptions options)
        : this(options.ModelNames)
    {
    }

    /// <summary>With rules of its own.</summary>
    public ModelNames(string rules)
    {
        foreach ((string pattern, string code) in Parse(rules))
            _rules.Add((new NamePattern(pattern), code));
    }

    /// <summary>The code that a name stands for.</summary>
    public string Resolve(string name)
    {
        string plain = name.EndsWith(']') && name.LastIndexOf('[') is > 0 and var bracket ? name[..bracket] : name;
        foreach ((NamePattern rule, string code) in _rules)
        {
            if (rule.Matches(plain))
                return code;
        }

        return plain;
    }

    /// <summary>Whether a text holds rules and nothing else.</summary>
    public static bool IsValid(string rules)
    {
        try
        {
            Parse(rules);
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    /// <summary>Reads rules <c>PATTERN=CODE</c> separated by semicolons; a <c>*</c> in a pattern stands for any characters.</summary>
    /// <exception cref="FormatException">One has no equals sign, or nothing on one of its sides.</exception>
    public static IReadOnlyList<(string Pattern, string Code)> Parse(string rules)
    {
        List<(string, string)> parsed = [];
        foreach (string rule in rules.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (rule.Split('=', StringSplitOptions.TrimEntries) is not [{ Length: > 0 } pattern, { Length: > 0 } code])
                throw new FormatException($"'{rule}' is no rule; write PATTERN=CODE, for example claude*=glm-4.7");
            parsed.Add((pattern, code));
        }

        return parsed;
    }
}
