using System.Text;

namespace Glimmer.Platform.Accounts.Mail;

/// <summary>A mail of plain text.</summary>
/// <param name="To">Address; checked before.</param>
/// <param name="Subject">Subject in any language.</param>
/// <param name="Body">Text with <c>\n</c> line ends.</param>
public sealed record MailMessage(string To, string Subject, string Body)
{
    /// <summary>Whether a text is an e-mail address that this platform takes.</summary>
    public static bool IsAddress(string text) => MailAddressRule.Normalise(text) is not null;

    /// <summary>The message as RFC 5322 bytes: headers in ASCII, the body in base64, so that no line is too long and none starts with a dot.</summary>
    /// <param name="from">Address of the sender.</param>
    /// <param name="now">When it is sent.</param>
    /// <param name="id">A unique id without <c>@</c>.</param>
    internal byte[] ToBytes(string from, DateTimeOffset now, string id)
    {
        var text = new StringBuilder();
        text.Append("From: Glimmer <").Append(from).Append(">\r\n");
        text.Append("To: <").Append(To).Append(">\r\n");
        text.Append("Subject: ");

        // Encoded words hold at most 75 characters each (RFC 2047); 42 bytes of UTF-8 fit, cut between characters.
        string space = "";
        var part = new StringBuilder();
        void EndPart()
        {
            text.Append(space).Append("=?utf-8?B?").Append(Convert.ToBase64String(Encoding.UTF8.GetBytes(part.ToString()))).Append("?=");
            space = "\r\n ";
            part.Clear();
        }

        foreach (Rune rune in Subject.EnumerateRunes())
        {
            if (Encoding.UTF8.GetByteCount(part.ToString()) + rune.Utf8SequenceLength > 42)
                EndPart();
            part.Append(Rune.IsControl(rune) ? " " : rune.ToString());
        }

        EndPart();
        text.Append("\r\nDate: ").Append(now.ToUniversalTime().ToString("ddd, dd MMM yyyy HH:mm:ss '+0000'")).Append("\r\n");
        text.Append("Message-ID: <").Append(id).Append('@').Append(from.AsSpan(from.IndexOf('@', StringComparison.Ordinal) + 1)).Append(">\r\n");
        text.Append("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        string body = Convert.ToBase64String(Encoding.UTF8.GetBytes(Body.Replace("\n", "\r\n", StringComparison.Ordinal)));
        for (int i = 0; i < body.Length; i += 76)
            text.Append(body.AsSpan(i, Math.Min(76, body.Length - i))).Append("\r\n");
        return Encoding.ASCII.GetBytes(text.ToString());
    }
}

/// <summary>An e-mail address as this platform takes it.</summary>
internal static class MailAddressRule
{
    /// <summary>The address in the form it is kept and compared in; null when it is none. Lower case, ASCII, one @, no quotes.</summary>
    public static string? Normalise(string text)
    {
        text = text.Trim();
        int at = text.LastIndexOf('@');
        if (text.Length > 254 || at is < 1 or > 64 || at == text.Length - 1)
            return null;
        foreach (char c in text.AsSpan(0, at))
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"!#$%&'*+-/=?^_`{|}~.".Contains(c, StringComparison.Ordinal))
                return null;
        }

        string domain = text[(at + 1)..];
        foreach (string label in domain.Split('.'))
        {
            if (label.Length is < 1 or > 63 || label[0] == '-' || label[^1] == '-' || label.Any(c => !char.IsAsciiLetterOrDigit(c) && c != '-'))
                return null;
        }

        return text[0] == '.' || text[at - 1] == '.' || text.Contains("..", StringComparison.Ordinal) ? null : text.ToLowerInvariant();
    }
}
