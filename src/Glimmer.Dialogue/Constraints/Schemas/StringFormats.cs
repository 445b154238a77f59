using System.Collections.Concurrent;
using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Patterns;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>
/// The formats of JSON Schema that are regular, as automata. Where readers disagree the narrower language is taken: no leap seconds
/// and capital T and Z in times (RFC 3339), unquoted local parts in addresses (RFC 5321), ASCII host names (RFC 1123).
/// </summary>
internal static class StringFormats
{
    private const string Octet = @"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)";
    private const string IPv4 = $@"({Octet}\.){{3}}{Octet}";
    private const string Time = @"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,20})?(Z|[+\-]([01]\d|2[0-3]):[0-5]\d)";
    private const string HostLabel = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?";
    private const string Host = $@"{HostLabel}(\.{HostLabel})*";
    private const string Label63 = @"[^.]{1,63}(\.[^.]{1,63})*";

    // Labels with hyphens in the third and fourth place are encodings (RFC 5891), whose validity is not regular.
    private const string EncodedLabel = @"(^|\.)[^.]{2}--";
    private const string Atom = @"[A-Za-z0-9!#$%&'*+/=?\^_`{|}~\-]+";
    private const string PointerToken = "([^/~]|~[01])*";

    private const string DateWithoutLeapDay =
        @"(\d\d\d[1-9]|\d\d[1-9]\d|\d[1-9]\d\d|[1-9]\d\d\d)-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))";

    private const string LeapDay = @"(\d\d(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)-02-29";
    private const string Date = $"({DateWithoutLeapDay}|{LeapDay})";

    private const string Hex4 = "[0-9A-Fa-f]{1,4}";
    private const string Low32 = $"({Hex4}:{Hex4}|{IPv4})";

    private const string IPv6 =
        $"(({Hex4}:){{6}}{Low32}|::({Hex4}:){{5}}{Low32}|({Hex4})?::({Hex4}:){{4}}{Low32}"
        + $"|(({Hex4}:){{0,1}}{Hex4})?::({Hex4}:){{3}}{Low32}|(({Hex4}:){{0,2}}{Hex4})?::({Hex4}:){{2}}{Low32}"
        + $"|(({Hex4}:){{0,3}}{Hex4})?::{Hex4}:{Low32}|(({Hex4}:){{0,4}}{Hex4})?::{Low32}"
        + $"|(({Hex4}:){{0,5}}{Hex4})?::{Hex4}|(({Hex4}:){{0,6}}{Hex4})?::)";

    // RFC 3986, with host names and IPv4 folded into reg-name.
    private const string PathChar = @"([A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})";
    private const string RegName = @"([A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*";
    private const string Authority = $@"(([A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{{2}})*@)?(\[{IPv6}\]|{RegName})(:\d{{0,5}})?";
    private const string Tail = $@"(\?({PathChar}|[/?])*)?(#({PathChar}|[/?])*)?";
    private const string Uri = $@"[A-Za-z][A-Za-z0-9+\-.]*:(//{Authority}(/{PathChar}*)*|/({PathChar}+(/{PathChar}*)*)?|{PathChar}+(/{PathChar}*)*|){Tail}";

    private const string RelativeReference =
        $@"(//{Authority}(/{PathChar}*)*|/({PathChar}+(/{PathChar}*)*)?|([A-Za-z0-9\-._~!$&'()*+,;=@]|%[0-9A-Fa-f]{{2}})+(/{PathChar}*)*|){Tail}";

    private const string DurationTime = @"T(\d+H(\d+M(\d+S)?)?|\d+M(\d+S)?|\d+S)";

    private static readonly Dictionary<string, string> Expressions = new(StringComparer.Ordinal)
    {
        ["date"] = Date,
        ["time"] = Time,
        ["date-time"] = $"{Date}T{Time}",
        ["duration"] = $@"P(\d+W|(\d+Y(\d+M(\d+D)?)?|\d+M(\d+D)?|\d+D)({DurationTime})?|{DurationTime})",
        ["ipv4"] = IPv4,
        ["ipv6"] = IPv6,
        ["uuid"] = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
        ["hostname"] = Host,
        ["email"] = $@"{Atom}(\.{Atom})*@{Host}",
        ["uri"] = Uri,
        ["uri-reference"] = $"({Uri}|{RelativeReference})",
        ["json-pointer"] = $"(/{PointerToken})*",
        ["relative-json-pointer"] = $@"(0|[1-9]\d*)(#|(/{PointerToken})*)",
    };

    private static readonly ConcurrentDictionary<string, CodePointDfa> Automata = new(StringComparer.Ordinal);

    /// <summary>The formats that can be enforced.</summary>
    public static IReadOnlyCollection<string> Names => Expressions.Keys;

    /// <summary>The automaton of a format; false when it is unknown or not regular.</summary>
    public static bool TryGet(string name, out CodePointDfa automaton)
    {
        if (!Expressions.TryGetValue(name, out string? expression))
        {
            automaton = DfaAlgebra.AnyText;
            return false;
        }

        automaton = Automata.GetOrAdd(name, static (key, text) => Build(key, text), expression);
        return true;
    }

    private static CodePointDfa Build(string name, string expression)
    {
        CodePointDfa automaton = RegexCompiler.WholeText(RegexParser.Parse(expression));

        // Labels of at most 63 characters; the bound of 253 on the whole name is a length and is kept by the caller.
        return name switch
        {
            "hostname" => DfaAlgebra.Except(
                DfaAlgebra.Intersect(automaton, RegexCompiler.WholeText(RegexParser.Parse(Label63))),
                RegexCompiler.Search(RegexParser.Parse(EncodedLabel))),
            "email" => DfaAlgebra.Intersect(automaton, RegexCompiler.WholeText(RegexParser.Parse($"[^@]{{1,64}}@{Label63}"))),
            _ => automaton,
        };
    }

    /// <summary>Longest text of a format, where that is not part of its automaton.</summary>
    public static int? MaxLengthOf(string name) => name is "hostname" or "email" ? 253 : null;
}
