using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Glimmer.Cli.Configuring;

/// <summary>Shows what changes in a file, in the form of <c>diff -u</c>. Secrets are never shown whole.</summary>
internal static partial class UnifiedDiff
{
    private const int Around = 3;
    private const long MostCells = 4_000_000;

    /// <summary>The difference; empty when there is none.</summary>
    public static string Of(string name, string before, string after)
    {
        string[] old = Lines(before), made = Lines(after);
        List<(char Kind, string Line)> script = Script(old, made);
        StringBuilder text = new();
        int oldLine = 1, newLine = 1, i = 0;
        while (i < script.Count)
        {
            if (script[i].Kind == ' ')
            {
                (oldLine, newLine, i) = (oldLine + 1, newLine + 1, i + 1);
                continue;
            }

            // A hunk: from a few lines before the change to a few behind the last one that is near.
            int start = Math.Max(0, i - Around), end = i, quiet = 0;
            for (int j = i; j < script.Count && quiet <= 2 * Around; j++)
            {
                quiet = script[j].Kind == ' ' ? quiet + 1 : 0;
                if (quiet == 0)
                    end = j + 1;
            }

            end = Math.Min(script.Count, end + Around);
            (int oldStart, int newStart) = (oldLine - (i - start), newLine - (i - start));
            int olds = Count(script, start, end, '+'), news = Count(script, start, end, '-');
            if (text.Length == 0)
                text.Append(CultureInfo.InvariantCulture, $"--- {name}\n+++ {name}\n");
            text.Append(CultureInfo.InvariantCulture, $"@@ -{(olds == 0 ? oldStart - 1 : oldStart)},{olds} +{(news == 0 ? newStart - 1 : newStart)},{news} @@\n");
            for (int j = start; j < end; j++)
                text.Append(script[j].Kind).Append(Mask(script[j].Line)).Append('\n');
            for (; i < end; i++)
            {
                oldLine += script[i].Kind == '+' ? 0 : 1;
                newLine += script[i].Kind == '-' ? 0 : 1;
            }
        }

        return text.ToString();
    }

    /// <summary>A line with the texts after names of secrets cut to their first characters.</summary>
    public static string Mask(string line) => Secrets().Replace(line, "${name}${shown}…");

    private static int Count(List<(char Kind, string Line)> script, int start, int end, char other)
    {
        int count = 0;
        for (int i = start; i < end; i++)
            count += script[i].Kind == other ? 0 : 1;
        return count;
    }

    private static string[] Lines(string text) => text.Length == 0 ? [] : text.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');

    private static List<(char Kind, string Line)> Script(string[] old, string[] made)
    {
        int head = 0, tail = 0;
        while (head < old.Length && head < made.Length && old[head] == made[head])
            head++;
        while (tail < old.Length - head && tail < made.Length - head && old[^(tail + 1)] == made[^(tail + 1)])
            tail++;
        List<(char, string)> script = [.. old.Take(head).Select(line => (' ', line))];
        script.AddRange(Middle(old[head..^tail], made[head..^tail]));
        script.AddRange(old[^tail..].Select(line => (' ', line)));
        return script;
    }

    /// <summary>By the longest common subsequence; where that would be too large, all out and all in.</summary>
    private static IEnumerable<(char Kind, string Line)> Middle(string[] old, string[] made)
    {
        if ((long)old.Length * made.Length > MostCells)
            return [.. old.Select(line => ('-', line)), .. made.Select(line => ('+', line))];
        int[,] common = new int[old.Length + 1, made.Length + 1];
        for (int i = old.Length - 1; i >= 0; i--)
        {
            for (int j = made.Length - 1; j >= 0; j--)
                common[i, j] = old[i] == made[j] ? common[i + 1, j + 1] + 1 : Math.Max(common[i + 1, j], common[i, j + 1]);
        }

        List<(char, string)> script = [];
        int a = 0, b = 0;
        while (a < old.Length || b < made.Length)
        {
            if (a < old.Length && b < made.Length && old[a] == made[b])
            {
                script.Add((' ', old[a++]));
                b++;
            }
            else if (b == made.Length || (a < old.Length && common[a + 1, b] >= common[a, b + 1]))
            {
                script.Add(('-', old[a++]));
            }
            else
            {
                script.Add(('+', made[b++]));
            }
        }

        return script;
    }

    [GeneratedRegex("""(?<name>[\w.-]*(key|token|secret|password|authorization|credential)[\w.-]*["']?\s*[:=]\s*["'](Bearer )?)(?<shown>[^"']{0,4})[^"']+|(?<name>^\s*(export\s+)?\w*(key|token|secret|password|authorization|credential)\w*=)(?<shown>[^\s"']{0,4})[^\s"']+""", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Secrets();
}
