using System.Buffers;
using System.Text;
using System.Text.Json;
using Glimmer.Protocol.Json;

namespace Glimmer.Inference.Relay.Requests;

/// <summary>Checks arguments of calls.</summary>
internal static class ArgumentsJson
{
    /// <summary>Whether a text is the JSON of one object of bounded depth.</summary>
    public static bool IsObject(string text)
    {
        byte[] utf8 = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        try
        {
            return IsObject(utf8.AsSpan(0, Encoding.UTF8.GetBytes(text, utf8)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(utf8);
        }
    }

    /// <summary>Whether bytes are the JSON of one object of bounded depth.</summary>
    public static bool IsObject(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = WireJson.MaxDepth });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            while (reader.Read())
            {
                // Every token is checked by being read.
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
