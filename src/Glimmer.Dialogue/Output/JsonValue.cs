using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Glimmer.Dialogue.Output;

/// <summary>Judges whether a text is one JSON value, and of which type, without building it.</summary>
internal static class JsonValue
{
    private const int MaxDepth = 512;

    /// <summary>The type of the value, when the whole text is one.</summary>
    public static bool TryGetType(ReadOnlySpan<char> text, out JsonTypes type)
    {
        type = JsonTypes.None;
        if (text.IsEmpty)
            return false;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        try
        {
            int length = Encoding.UTF8.GetBytes(text, buffer);
            Utf8JsonReader reader = new(buffer.AsSpan(0, length), new JsonReaderOptions { MaxDepth = MaxDepth });
            if (!reader.Read())
                return false;
            type = TypeOf(reader.TokenType, text);
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Length of the JSON value that a text begins with; 0 when it begins with none.</summary>
    public static int PrefixLength(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        try
        {
            Utf8JsonReader reader = new(bytes, new JsonReaderOptions { MaxDepth = MaxDepth, AllowMultipleValues = true });
            if (!reader.Read())
                return 0;
            reader.Skip();
            return Encoding.UTF8.GetCharCount(bytes, 0, checked((int)reader.BytesConsumed));
        }
        catch (JsonException)
        {
            return 0;
        }
    }

    /// <summary>Integer or fraction, by its spelling as Python judges it: <c>5.0</c> and <c>1e3</c> are no integers.</summary>
    public static JsonTypes TypeOfNumber(ReadOnlySpan<char> text) =>
        text.IndexOfAny('.', 'e', 'E') < 0 ? JsonTypes.Integer : JsonTypes.Fraction;

    private static JsonTypes TypeOf(JsonTokenType token, ReadOnlySpan<char> text) => token switch
    {
        JsonTokenType.String => JsonTypes.String,
        JsonTokenType.Number => TypeOfNumber(text),
        JsonTokenType.True or JsonTokenType.False => JsonTypes.Boolean,
        JsonTokenType.Null => JsonTypes.Null,
        JsonTokenType.StartObject => JsonTypes.Object,
        _ => JsonTypes.Array,
    };
}
