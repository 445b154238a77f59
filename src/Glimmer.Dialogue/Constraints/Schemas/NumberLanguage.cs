using System.Numerics;
using System.Text.Json;
using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Patterns;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>
/// The numbers that schemas allow, as an automaton over their digits. Bounds and multiples are exact. Numbers are
/// written without exponent when there is a bound or a multiple, and integers never have a fraction.
/// </summary>
internal static class NumberLanguage
{
    /// <summary>Largest number of remainders tracked for <c>multipleOf</c>.</summary>
    private const int MaxRemainders = 4_000;

    private static readonly CodePointDfa Plain = RegexCompiler.WholeText(RegexParser.Parse(@"-?(0|[1-9]\d*)(\.\d+)?"));
    private static readonly CodePointDfa NotInteger = RegexCompiler.WholeText(RegexParser.Parse(@"-?(0|[1-9]\d*)\.\d*[1-9]\d*"));

    /// <param name="all">Schemas that must all hold.</param>
    /// <param name="types">Integers, fractions or both.</param>
    /// <param name="report">Receives what cannot be enforced.</param>
    public static CodePointDfa Of(List<SchemaNode> all, JsonTypes types, SchemaReport report)
    {
        CodePointDfa? limits = null;
        foreach (SchemaNode node in all)
        {
            if (node.Minimum is { } minimum)
                limits = And(limits, Compared(minimum, static order => order >= 0));
            if (node.Maximum is { } maximum)
                limits = And(limits, Compared(maximum, static order => order <= 0));
            if (node.ExclusiveMinimum is { } above)
                limits = And(limits, Compared(above, static order => order > 0));
            if (node.ExclusiveMaximum is { } below)
                limits = And(limits, Compared(below, static order => order < 0));
            if (node.MultipleOf is { } multiple)
                limits = AndMultiple(node, "multipleOf", multiple, limits, isMultiple: true, report);
            if (node.NotMultipleOf is { } notMultiple)
                limits = AndMultiple(node, "not", notMultiple, limits, isMultiple: false, report);
            foreach (JsonElement forbidden in node.ForbiddenValues)
            {
                if (forbidden.ValueKind == JsonValueKind.Number)
                    limits = And(limits, Compared(JsonDecimal.Of(forbidden, node.Pointer), static order => order != 0));
            }
        }

        return types switch
        {
            JsonTypes.Integer => And(limits, JsonGrammar.IntegerText),
            JsonTypes.Fraction => And(limits, NotInteger),
            _ => limits is null ? JsonGrammar.NumberText : And(limits, Plain),
        };
    }

    private static CodePointDfa And(CodePointDfa? left, CodePointDfa right) => left is null ? right : DfaAlgebra.Intersect(left, right);

    private static CodePointDfa? AndMultiple(
        SchemaNode node,
        string keyword,
        JsonDecimal divisor,
        CodePointDfa? limits,
        bool isMultiple,
        SchemaReport report)
    {
        BigInteger scaled = divisor.Scaled(Math.Min(divisor.Exponent, 0));
        int decimals = Math.Max(-divisor.Exponent, 0);
        if (scaled * (decimals + 2) > MaxRemainders)
        {
            report.Add(new(node.Pointer, keyword, $"a multiple with more than {MaxRemainders} remainders to keep apart"));
            return limits;
        }

        return And(limits, Multiples((int)scaled, decimals, isMultiple));
    }

    /// <summary>The numbers whose order against a bound satisfies a condition.</summary>
    private static CodePointDfa Compared(JsonDecimal bound, Func<int, bool> accepts)
    {
        (string whole, string fraction) = bound.Digits();
        return DigitTable.Build(
            new Comparison(Negative: false, Begun: false, Digits: 0, Order: 0, InFraction: false, Decimals: 0),
            (state, symbol) => Step(state, symbol, whole, fraction),
            state => state.Begun && accepts(OrderOf(state, bound.Sign, whole.Length, fraction.Length)));
    }

    private static Comparison? Step(Comparison state, int symbol, string whole, string fraction)
    {
        switch (symbol)
        {
            case DigitTable.Minus:
                return state.Begun || state.Negative ? null : state with { Negative = true };
            case DigitTable.Point:
                return state.InFraction || !state.Begun
                    ? null
                    : state with { InFraction = true, Digits = 0, Order = WholeOrder(state, whole.Length) };
        }

        state = state with { Begun = true };
        if (state.InFraction)
        {
            if (state.Order != 0)
                return state;
            int expected = state.Decimals < fraction.Length ? fraction[state.Decimals] - '0' : 0;
            int order = symbol.CompareTo(expected);
            return state with { Order = order, Decimals = order != 0 ? 0 : Math.Min(state.Decimals + 1, fraction.Length) };
        }

        // A leading zero is no digit of the magnitude.
        if (state.Digits == 0 && symbol == 0)
            return state;
        if (state.Digits >= whole.Length)
            return state with { Digits = whole.Length + 1, Order = 0 };
        return state with
        {
            Digits = state.Digits + 1,
            Order = state.Order != 0 ? state.Order : symbol.CompareTo(whole[state.Digits] - '0'),
        };
    }

    /// <summary>Order of the whole parts' magnitudes, when no more digits come.</summary>
    private static int WholeOrder(Comparison state, int wholeLength)
    {
        int byLength = state.Digits.CompareTo(wholeLength);
        return byLength != 0 ? byLength : state.Order;
    }

    private static int OrderOf(Comparison state, int boundSign, int wholeLength, int fractionLength)
    {
        int order = state.InFraction ? state.Order : WholeOrder(state, wholeLength);

        // Equal so far, and the bound has decimals left: they do not end in zero, so the bound is larger.
        if (order == 0 && (state.InFraction ? state.Decimals : 0) < fractionLength)
            order = -1;
        if (state.Negative)
            return boundSign > 0 ? -1 : -order;
        return boundSign < 0 ? 1 : order;
    }

    /// <summary>The multiples, or all other numbers, of <paramref name="divisor"/> / 10^<paramref name="decimals"/>.</summary>
    private static CodePointDfa Multiples(int divisor, int decimals, bool isMultiple)
    {
        // Decimals: −1 before the point. Past the last one that matters the remainder must be 0 and stays as it is.
        return DigitTable.Build(
            (Begun: false, Remainder: 0, Decimals: -1),
            (state, symbol) =>
            {
                if (symbol == DigitTable.Minus)
                    return state.Begun ? null : state;
                if (symbol == DigitTable.Point)
                    return state.Decimals >= 0 || !state.Begun ? null : state with { Decimals = 0 };
                if (state.Decimals == decimals)
                    return symbol == 0 ? state : (true, 1, decimals + 1);
                if (state.Decimals > decimals)
                    return state;
                return (true, (int)(((state.Remainder * 10L) + symbol) % divisor), state.Decimals < 0 ? -1 : state.Decimals + 1);
            },
            state =>
            {
                if (!state.Begun)
                    return false;
                long remainder = state.Remainder;
                for (int d = Math.Max(state.Decimals, 0); d < decimals; d++)
                    remainder = remainder * 10 % divisor;
                bool multiple = state.Decimals > decimals ? false : remainder % divisor == 0;
                return multiple == isMultiple;
            });
    }

    /// <summary>How far a number has been read, and how its magnitude compares with the bound's.</summary>
    private readonly record struct Comparison(bool Negative, bool Begun, int Digits, int Order, bool InFraction, int Decimals);
}

/// <summary>Builds automata over the characters of plain numbers from a step function.</summary>
internal static class DigitTable
{
    public const int Minus = 10;
    public const int Point = 11;
    private const int Symbols = 12;

    public static CodePointDfa Build<TState>(TState start, Func<TState, int, TState?> step, Func<TState, bool> accepts)
        where TState : struct
    {
        Dictionary<TState, int> numbers = new() { [start] = 0 };
        List<TState> states = [start];
        List<int> next = [];
        for (int i = 0; i < states.Count; i++)
        {
            for (int symbol = 0; symbol < Symbols; symbol++)
            {
                if (step(states[i], symbol) is not { } target)
                {
                    next.Add(-1);
                    continue;
                }

                if (!numbers.TryGetValue(target, out int number))
                {
                    number = states.Count;
                    if (number >= CodePointDfa.MaxStates)
                        throw new AutomatonTooLargeException($"more than {CodePointDfa.MaxStates} states");
                    numbers.Add(target, number);
                    states.Add(target);
                }

                next.Add(number);
            }

            next.Add(-1);
        }

        // Intervals: anything, '-', '.', '/', the digits, anything; the last class leads nowhere.
        int[] starts = [0, '-', '.', '/', .. Enumerable.Range('0', 10), '9' + 1];
        int[] classes = [Symbols, Minus, Point, Symbols, .. Enumerable.Range(0, 10), Symbols];
        return CodePointDfa.FromTable(starts, classes, Symbols + 1, [.. next], [.. states.Select(accepts)], 0);
    }
}
