using System.Text;

namespace Glimmer.Server.Transport;

/// <summary>Makes one path of the spellings that clients produce from base addresses with and without slashes.</summary>
internal static class RequestPath
{
    private static readonly string[] Bases = ["/api/paas/v4", "/api/coding/paas/v4", "/api/anthropic"];

    /// <summary>Doubled slashes become one, a trailing one goes, a missing one after the base is put in.</summary>
    public static string Normalise(string path)
    {
        if (path.Contains("//", StringComparison.Ordinal))
        {
            var text = new StringBuilder(path.Length);
            foreach (char c in path)
            {
                if (c != '/' || text.Length == 0 || text[^1] != '/')
                    text.Append(c);
            }

            path = text.ToString();
        }

        if (path.Length > 1 && path[^1] == '/')
            path = path[..^1];
        foreach (string known in Bases)
        {
            if (path.Length > known.Length && path.StartsWith(known, StringComparison.OrdinalIgnoreCase) && char.IsAsciiLetter(path[known.Length]))
                return string.Concat(known, "/", path.AsSpan(known.Length));
        }

        return path.Length == 0 ? "/" : path;
    }
}
