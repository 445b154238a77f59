using System.Globalization;
using System.Text;

namespace Glimmer.Server.Responses;

/// <summary>
/// Where the texts of a streamed response were cut into pieces: with these and the response, its stream can be told again, event by event.
/// Kept as a text: the number of the event that says that it is in progress, then of each piece its length and, where there are any, its tokens.
/// </summary>
/// <param name="begun">Number of the event <c>response.in_progress</c>.</param>
internal sealed class StreamMarks(long begun)
{
    private readonly List<(int Length, int Tokens)> _pieces = [];

    /// <summary>Number of the event <c>response.in_progress</c>.</summary>
    public long Begun => begun;

    /// <summary>Pieces of all texts, in order.</summary>
    public IReadOnlyList<(int Length, int Tokens)> Pieces => _pieces;

    /// <summary>Notes a piece.</summary>
    /// <param name="length">Its UTF-16 units.</param>
    /// <param name="tokens">Its tokens that were told; 0 when none were asked for.</param>
    public void Add(int length, int tokens) => _pieces.Add((length, tokens));

    /// <summary>Writes them.</summary>
    public string Write()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{begun}");
        foreach ((int length, int tokens) in _pieces)
        {
            text.Append(' ').Append(CultureInfo.InvariantCulture, $"{length}");
            if (tokens > 0)
                text.Append(':').Append(CultureInfo.InvariantCulture, $"{tokens}");
        }

        return text.ToString();
    }

    /// <summary>Reads what <see cref="Write"/> wrote; without any, nothing is cut.</summary>
    /// <param name="text">The text; null for a response that was no stream.</param>
    /// <param name="begun">Number of the event <c>response.in_progress</c> of such a one.</param>
    public static StreamMarks Read(string? text, long begun)
    {
        if (text is null)
            return new StreamMarks(begun);
        string[] parts = text.Split(' ');
        var marks = new StreamMarks(long.Parse(parts[0], CultureInfo.InvariantCulture));
        foreach (string part in parts.AsSpan(1))
        {
            int colon = part.IndexOf(':', StringComparison.Ordinal);
            marks.Add(int.Parse(colon < 0 ? part : part[..colon], CultureInfo.InvariantCulture), colon < 0 ? 0 : int.Parse(part[(colon + 1)..], CultureInfo.InvariantCulture));
        }

        return marks;
    }
}
