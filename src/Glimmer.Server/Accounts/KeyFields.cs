using System.Net;
using System.Text.Json;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Server.Accounts;

/// <summary>What is sent to make or change a key.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Project">Public id of its project.</param>
/// <param name="Disabled">Whether it is off.</param>
/// <param name="Expires">When it stops to work; <see cref="DateTimeOffset.MaxValue"/> for never.</param>
/// <param name="Rules">All its rules; null when none is named.</param>
internal sealed record KeyFields(string? Name, string? Project, bool? Disabled, DateTimeOffset? Expires, KeyRules? Rules)
{
    public static KeyFields Read(FieldReader reader, bool nameNeeded, KeyRules before, DateTimeOffset at)
    {
        // A field that is there with null lifts its restriction; one that is absent leaves it.
        KeyRules rules = before;
        if (IsNull(reader, "models"))
            rules = rules with { Models = null };
        else if (reader.Texts("models", KeyRules.MaxEntries, 1, 100) is { } models)
            rules = rules with { Models = models };
        if (IsNull(reader, "ips"))
            rules = rules with { Networks = null };
        else if (reader.Texts("ips", KeyRules.MaxEntries, 1, 64) is { } texts)
            rules = rules with { Networks = Parse(reader, texts) };
        if (IsNull(reader, "spend_cap"))
            rules = rules with { SpendCap = null };
        else if (reader.Whole("spend_cap", 0, long.MaxValue / 2) is { } cap)
            rules = rules with { SpendCap = cap };
        long now = at.ToUnixTimeMilliseconds();
        DateTimeOffset? expires = IsNull(reader, "expires")
            ? DateTimeOffset.MaxValue
            : reader.Whole("expires", now, now + (3650L * 24 * 3600 * 1000)) is { } end ? DateTimeOffset.FromUnixTimeMilliseconds(end) : null;
        return new KeyFields(reader.Text("name", required: nameNeeded, max: 100), reader.Text("project", max: 100), reader.Flag("disabled"), expires, ReferenceEquals(rules, before) ? null : rules);
    }

    private static bool IsNull(FieldReader reader, string name) => reader.Element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Null;

    private static IPNetwork[] Parse(FieldReader reader, IReadOnlyList<string> texts)
    {
        var result = new IPNetwork[texts.Count];
        for (int i = 0; i < texts.Count; i++)
        {
            if (!KeyRules.TryParseNetwork(texts[i], out result[i]))
                reader.Fail(PlatformError.Invalid($"ips[{i}]", "it is no address", "Use an address or a network such as 10.0.0.0/8 or 2001:db8::/32"));
        }

        return result;
    }
}
