using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Glimmer.Protocol.Json;

/// <summary>Checks JSON text without building anything from it.</summary>
internal static class JsonSyntax
{
    /// <summary>The first token of the text, <see cref="JsonTokenType.None"/> when the text is not one JSON value of bounded depth.</summary>
    public static JsonTokenType KindOf(string text)
    {
        byte[] utf8 = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        int length = Encoding.UTF8.GetBytes(text, utf8);
        try
        {
            var reader = new Utf8JsonReader(utf8.AsSpan(0, length), new JsonReaderOptions { MaxDepth = WireJson.MaxDepth });
            if (!reader.Read())
                return JsonTokenType.None;
            JsonTokenType kind = reader.TokenType;
            while (reader.Read())
            {
                // Every token is checked by being read.
            }

            return kind;
        }
        catch (JsonException)
        {
            return JsonTokenType.None;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(utf8, clearArray: true);
        }
    }
}
