using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;

namespace Glimmer.Protocol.Json;

/// <summary>
/// Escapes what JSON demands and what breaks a line anywhere (control characters, U+0085, U+2028, U+2029), and nothing
/// else: Chinese and emoji go out as they are, which the encoders of the framework only do within the basic plane.
/// Half a surrogate pair becomes U+FFFD.
/// </summary>
internal sealed unsafe class WireEncoder : JavaScriptEncoder
{
    private static readonly SearchValues<char> Suspects = SearchValues.Create(SuspectCharacters());

    public static WireEncoder Instance { get; } = new();

    public override int MaxOutputCharactersPerInputCharacter => 6;

    public override bool WillEncode(int unicodeScalar) =>
        unicodeScalar is < 0x20 or '"' or '\\' or (>= 0x7F and <= 0x9F) or 0x2028 or 0x2029;

    public override int FindFirstCharacterToEncode(char* text, int textLength)
    {
        var span = new ReadOnlySpan<char>(text, textLength);
        int start = 0;
        while (start < span.Length)
        {
            int found = span[start..].IndexOfAny(Suspects);
            if (found < 0)
                return -1;
            start += found;
            if (!char.IsHighSurrogate(span[start]) || start + 1 >= span.Length || !char.IsLowSurrogate(span[start + 1]))
                return start;
            start += 2;
        }

        return -1;
    }

    public override bool TryEncodeUnicodeScalar(int unicodeScalar, char* buffer, int bufferLength, out int numberOfCharactersWritten)
    {
        var output = new Span<char>(buffer, bufferLength);
        if (!WillEncode(unicodeScalar))
            return new Rune(unicodeScalar).TryEncodeToUtf16(output, out numberOfCharactersWritten);
        char shortForm = unicodeScalar switch
        {
            '"' => '"',
            '\\' => '\\',
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\b' => 'b',
            '\f' => 'f',
            _ => '\0',
        };
        numberOfCharactersWritten = 0;
        if (shortForm != '\0')
        {
            if (output.Length < 2)
                return false;
            output[0] = '\\';
            output[1] = shortForm;
            numberOfCharactersWritten = 2;
            return true;
        }

        if (output.Length < 6)
            return false;
        "\\u".CopyTo(output);
        numberOfCharactersWritten = 6;
        return unicodeScalar.TryFormat(output[2..], out _, "x4");
    }

    private static string SuspectCharacters()
    {
        var characters = new StringBuilder("\"\\\u2028\u2029");
        for (char c = '\0'; c < 0x20; c++)
            characters.Append(c);
        for (char c = '\x7F'; c <= 0x9F; c++)
            characters.Append(c);
        for (int c = 0xD800; c <= 0xDFFF; c++)
            characters.Append((char)c);
        return characters.ToString();
    }
}
