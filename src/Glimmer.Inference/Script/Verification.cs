using System.Globalization;
using System.Text;

namespace Glimmer.Inference.Script;

/// <summary>How often a rule answered beside how often it should have.</summary>
/// <param name="Name">The rule.</param>
/// <param name="Uses">How often it answered.</param>
/// <param name="Times">How often it may; null for always.</param>
/// <param name="Expect">How often it must; null where that does not matter.</param>
public sealed record RuleUse(string Name, int Uses, int? Times, Expectation? Expect)
{
    /// <summary>Whether it is as expected.</summary>
    public bool Holds => Expect?.Holds(Uses) ?? true;
}

/// <summary>Whether a run went as its scenario expects.</summary>
/// <param name="Rules">The rules and their uses.</param>
/// <param name="UnknownCount">Requests that nothing of the scenario matched, the fallback neither.</param>
/// <param name="Unknown">The first of them, as far as they are kept.</param>
public sealed record Verification(IReadOnlyList<RuleUse> Rules, long UnknownCount, IReadOnlyList<LoggedRequest> Unknown)
{
    /// <summary>Whether every expectation holds and nothing unknown came.</summary>
    public bool Holds => UnknownCount == 0 && Rules.All(rule => rule.Holds);

    /// <summary>What is wrong, line by line; empty when nothing is.</summary>
    public string Describe()
    {
        StringBuilder text = new();
        foreach (RuleUse rule in Rules.Where(rule => !rule.Holds))
            text.Append(CultureInfo.InvariantCulture, $"- {rule.Name}: expected {rule.Expect} uses, actual {rule.Uses}\n");
        if (UnknownCount > 0)
            text.Append(CultureInfo.InvariantCulture, $"- {UnknownCount} requests matched no rule\n");
        foreach (LoggedRequest request in Unknown)
        {
            text.Append(CultureInfo.InvariantCulture, $"  request {request.Number}, nearest {request.Rule ?? "none"}\n");
            foreach (PatternCheck check in request.Checks)
                text.Append(CultureInfo.InvariantCulture, $"    {check}\n");
        }

        return text.ToString();
    }
}
