using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Glimmer.Cli.Hub;

/// <summary>What the user asks for: <c>owner/name[:quantisation][@revision]</c>, e.g. <c>zai-org/GLM-4.7-Flash:Q4_K_M</c>.</summary>
/// <param name="Owner">User or organisation.</param>
/// <param name="Name">Repository.</param>
/// <param name="Quantisation">Which of several GGUF files; null when not said.</param>
/// <param name="Revision">Branch, tag or commit; null for the hub's default.</param>
internal sealed partial record ModelReference(string Owner, string Name, string? Quantisation, string? Revision)
{
    /// <summary><c>owner/name</c>.</summary>
    public string Repository => $"{Owner}/{Name}";

    /// <summary>Reads the form above; on failure says what is wrong with it.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out ModelReference? reference, [NotNullWhen(false)] out string? fault)
    {
        reference = null;
        fault = null;
        Match match = Form().Match(text);
        if (!match.Success)
        {
            fault = $"'{text}' is not the name of a model; expected owner/name, owner/name:QUANTISATION or owner/name@revision, for example zai-org/GLM-4.7-Flash:Q4_K_M.";
            return false;
        }

        string Part(string group) => match.Groups[group].Value;
        reference = new ModelReference(Part("owner"), Part("name"), NullIfEmpty(Part("quant")), NullIfEmpty(Part("rev")));
        if (!IsDots(reference.Owner) && !IsDots(reference.Name))
            return true;
        reference = null;
        fault = $"'{text}' is not the name of a model: owner and name must not be dots only.";
        return false;
    }

    /// <inheritdoc/>
    public override string ToString() =>
        Repository + (Quantisation is null ? "" : $":{Quantisation}") + (Revision is null ? "" : $"@{Revision}");

    private static bool IsDots(string part) => part.Trim('.').Length == 0;

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;

    [GeneratedRegex(@"^(?<owner>[A-Za-z0-9._-]{1,96})/(?<name>[A-Za-z0-9._-]{1,96})(:(?<quant>[A-Za-z0-9_.-]{1,32}))?(@(?<rev>[A-Za-z0-9._/-]{1,128}))?\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Form();
}
