using System.Text.Json;
using Glimmer.Inference.Relay.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>Reads values of a service's events. Null stands for absent; any other type than the expected one is the service's fault.</summary>
internal static class JsonTokens
{
    /// <summary>A reader of one event, before its first token.</summary>
    public static Utf8JsonReader Open(ReadOnlySpan<byte> data) => new(data, new JsonReaderOptions { MaxDepth = WireJson.MaxDepth });

    /// <summary>Goes on to the next member of an object: true with the reader on its name, false behind the last.</summary>
    public static bool NextMember(this ref Utf8JsonReader json) => Read(ref json) && json.TokenType == JsonTokenType.PropertyName;

    /// <summary>Steps onto the value of a member and says whether it is an object; a null is skipped.</summary>
    public static bool EnterObject(this ref Utf8JsonReader json, string name) => Enter(ref json, JsonTokenType.StartObject, name, "an object");

    /// <summary>Steps onto the value of a member and says whether it is a list; a null is skipped.</summary>
    public static bool EnterArray(this ref Utf8JsonReader json, string name) => Enter(ref json, JsonTokenType.StartArray, name, "a list");

    /// <summary>Goes on to the next item of a list of objects: true with the reader on its beginning.</summary>
    public static bool NextObject(this ref Utf8JsonReader json, string name)
    {
        Read(ref json);
        if (json.TokenType == JsonTokenType.EndArray)
            return false;
        return json.TokenType == JsonTokenType.StartObject ? true : throw Wrong(name, "a list of objects");
    }

    /// <summary>The text of a member; null when it is null.</summary>
    public static string? TextOf(this ref Utf8JsonReader json, string name)
    {
        Read(ref json);
        if (json.TokenType == JsonTokenType.Null)
            return null;
        if (json.TokenType != JsonTokenType.String)
            throw Wrong(name, "a string");
        return json.GetString();
    }

    /// <summary>A piece of text, which may end or begin inside a surrogate pair (<see cref="TextPieces"/>); null when it is null.</summary>
    public static string? PieceOf(this ref Utf8JsonReader json, string name)
    {
        Read(ref json);
        return json.TokenType switch
        {
            JsonTokenType.Null => null,
            JsonTokenType.String => TextPieces.Read(ref json),
            _ => throw Wrong(name, "a string"),
        };
    }

    /// <summary>The count of a member: a whole number from 0; null when it is null.</summary>
    public static int? CountOf(this ref Utf8JsonReader json, string name)
    {
        Read(ref json);
        if (json.TokenType == JsonTokenType.Null)
            return null;
        return json.TokenType == JsonTokenType.Number && json.TryGetDouble(out double number) && number is >= 0 and <= int.MaxValue && number == Math.Floor(number)
            ? (int)number
            : throw Wrong(name, "a count");
    }

    /// <summary>The count of a member that says what something cost: one beyond all bounds is the greatest number, so that it is seen not to be believed.</summary>
    public static int? CostOf(this ref Utf8JsonReader json, string name)
    {
        Utf8JsonReader ahead = json;
        Read(ref ahead);
        if (ahead.TokenType != JsonTokenType.Number || !ahead.TryGetDouble(out double number) || number <= int.MaxValue)
            return json.CountOf(name);
        json = ahead;
        return int.MaxValue;
    }

    /// <summary>Skips the value of a member.</summary>
    public static void SkipValue(this ref Utf8JsonReader json)
    {
        Read(ref json);
        json.Skip();
    }

    /// <summary>Reads a token; an event that ends inside is the service's fault.</summary>
    public static bool Read(ref Utf8JsonReader json) => json.Read() ? true : throw new UpstreamFaultException("it sent an event that ends inside its JSON");

    /// <summary>A value of another type than the expected one.</summary>
    public static UpstreamFaultException Wrong(string name, string expected) => new($"its {name} is not {expected}");

    private static bool Enter(ref Utf8JsonReader json, JsonTokenType expected, string name, string words)
    {
        Read(ref json);
        if (json.TokenType == JsonTokenType.Null)
            return false;
        return json.TokenType == expected ? true : throw Wrong(name, words);
    }
}
