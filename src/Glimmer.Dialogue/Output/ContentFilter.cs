using System.Text;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Output;

/// <summary>
/// What is between the words of the model and the content of the answer: line breaks before the first content fall away,
/// so does a stretch of nothing but white space and white space right before a call; a stop text ends it.
/// </summary>
internal sealed class ContentFilter
{
    private readonly EventWriter _events;
    private readonly string[] _stops;
    private readonly bool _callsPossible;
    private readonly TextWindow _maybeStop = new();
    private readonly StringBuilder _space = new();
    private readonly bool _trims;
    private bool _first = true;
    private bool _segmentHasText;

    public ContentFilter(EventWriter events, IEnumerable<string> stops, bool callsPossible, bool trims = false)
    {
        _events = events;
        _stops = [.. stops.Where(stop => stop.Length > 0)];
        _callsPossible = callsPossible;
        _trims = trims;
    }

    /// <summary>A filter that lets every character pass until a stop text.</summary>
    public static ContentFilter ForPlain(EventWriter events, IEnumerable<string> stops) => new(events, stops, callsPossible: false) { _first = false, _segmentHasText = true };

    /// <summary>Whether a stop text was met; nothing passes after it.</summary>
    public bool Stopped => StopText is not null;

    /// <summary>The stop text that was met; null when none was.</summary>
    public string? StopText { get; private set; }

    /// <summary>Passes text on.</summary>
    public void Write(ReadOnlySpan<char> text)
    {
        if (_first)
        {
            text = text.TrimStart('\n');
            _first = text.IsEmpty;
        }

        if (text.IsEmpty || Stopped)
            return;
        if (_stops.Length == 0)
            Pass(text);
        else
            MatchStops(text);
    }

    /// <summary>What may have been the beginning of a stop text was none.</summary>
    public void Settle()
    {
        Pass(_maybeStop.Span);
        _maybeStop.Take(_maybeStop.Span.Length);
    }

    /// <summary>A call follows: white space before it falls away, and a new stretch begins after it.</summary>
    public void BreakForCall()
    {
        _space.Clear();
        _segmentHasText = false;
        _first = false;
    }

    /// <summary>The output is over: white space at the end of the content belongs to it.</summary>
    public void End()
    {
        Settle();
        if (_segmentHasText && !_trims)
            Release();
        _space.Clear();
    }

    private void MatchStops(ReadOnlySpan<char> text)
    {
        _maybeStop.Add(text);
        ReadOnlySpan<char> held = _maybeStop.Span;
        int cut = FirstStop(held, out string? stop);
        StopText = stop;
        int clear = Stopped ? cut : held.Length - LongestBeginning(held);
        Pass(held[..clear]);
        _maybeStop.Take(Stopped ? held.Length : clear);
    }

    // Where the stop text that is complete first begins; of several complete at one character, the longest. This choice is
    // the same for every way in which the text can arrive.
    private int FirstStop(ReadOnlySpan<char> text, out string? found)
    {
        found = null;
        int begin = -1;
        int end = int.MaxValue;
        foreach (string stop in _stops)
        {
            int at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at < 0 || at + stop.Length > end || (at + stop.Length == end && at > begin))
                continue;
            begin = at;
            end = at + stop.Length;
            found = stop;
        }

        return begin;
    }

    private int LongestBeginning(ReadOnlySpan<char> text)
    {
        int longest = 0;
        foreach (string stop in _stops)
        {
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.EndsWith(stop.AsSpan(0, length), StringComparison.Ordinal))
                    longest = length;
            }
        }

        return longest;
    }

    private void Pass(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty)
            return;
        int end = text.Length;
        bool holdsSpace = _callsPossible || _trims;
        if (holdsSpace || !_segmentHasText)
        {
            while (end > 0 && PythonText.IsSpace(text[end - 1]))
                end--;
        }

        if (end > 0)
        {
            if (_trims && !_segmentHasText)
            {
                _space.Clear();
                ReadOnlySpan<char> trimmed = text;
                while (PythonText.IsSpace(trimmed[0]))
                    trimmed = trimmed[1..];
                end -= text.Length - trimmed.Length;
                text = trimmed;
            }

            Release();
            _segmentHasText = true;
            _events.Add(ChatEventKind.Content, holdsSpace ? text[..end] : text);
        }

        if (end == 0 || holdsSpace)
            _space.Append(text[end..]);
    }

    private void Release()
    {
        foreach (ReadOnlyMemory<char> chunk in _space.GetChunks())
            _events.Add(ChatEventKind.Content, chunk.Span);
        _space.Clear();
    }
}
