using System.Text.Json;
using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>Grammars of given values. Strings have one spelling, numbers theirs and, when they are integers, the plain one.</summary>
internal static class ConstantGrammar
{
    public static Expression OneOf(List<JsonElement> values)
    {
        List<string> scalars = [];
        List<Expression> choices = [];
        foreach (JsonElement value in values)
        {
            if (value.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
                choices.Add(Of(value));
            else
                scalars.AddRange(Spellings(value));
        }

        if (scalars.Count > 0)
            choices.Add(Expression.Of(new LiteralSetTerminal(scalars)));
        return Expression.Choice(choices);
    }

    private static Expression Of(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                List<Expression> members = [];
                foreach (JsonProperty member in value.EnumerateObject())
                {
                    if (members.Count > 0)
                        members.Add(JsonGrammar.Comma);
                    members.Add(Expression.Literal(JsonText.Quote(member.Name)));
                    members.Add(JsonGrammar.Colon);
                    members.Add(Of(member.Value));
                }

                return members.Count == 0
                    ? Expression.Sequence(Expression.Literal("{"), JsonGrammar.Space, Expression.Literal("}"))
                    : JsonGrammar.Braces(Expression.Sequence(members), mayBeEmpty: false);
            case JsonValueKind.Array:
                List<Expression> items = [];
                foreach (JsonElement item in value.EnumerateArray())
                {
                    if (items.Count > 0)
                        items.Add(JsonGrammar.Comma);
                    items.Add(Of(item));
                }

                return items.Count == 0
                    ? Expression.Sequence(Expression.Literal("["), JsonGrammar.Space, Expression.Literal("]"))
                    : JsonGrammar.Brackets(Expression.Sequence(items), mayBeEmpty: false);
            default:
                return Expression.Of(new LiteralSetTerminal(Spellings(value)));
        }
    }

    private static IEnumerable<string> Spellings(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            yield return JsonText.Quote(value.GetString()!);
            yield break;
        }

        yield return value.GetRawText();
        if (value.ValueKind == JsonValueKind.Number && JsonDecimal.TryParse(value.GetRawText(), out JsonDecimal number))
        {
            (string whole, string fraction) = number.Digits();
            string sign = number.Sign < 0 ? "-" : "";
            yield return sign + (whole.Length == 0 ? "0" : whole) + (fraction.Length == 0 ? "" : "." + fraction);
        }
    }
}
