namespace Glimmer.Dialogue.Output;

/// <summary>Characters that have arrived and are not yet understood. Mostly few or none: its room is made with the first ones, and small.</summary>
internal sealed class TextWindow
{
    private const int Least = 32;
    private char[] _chars = [];
    private int _start;
    private int _end;

    /// <summary>The characters.</summary>
    public ReadOnlySpan<char> Span => _chars.AsSpan(_start, _end - _start);

    /// <summary>Appends what has arrived.</summary>
    public void Add(ReadOnlySpan<char> text)
    {
        if (_end + text.Length > _chars.Length)
            MakeRoom(text.Length);
        text.CopyTo(_chars.AsSpan(_end));
        _end += text.Length;
    }

    /// <summary>Takes the first characters away.</summary>
    public void Take(int count)
    {
        _start += count;
        if (_start == _end)
            _start = _end = 0;
    }

    private void MakeRoom(int more)
    {
        int held = _end - _start;
        char[] room = held + more > _chars.Length ? new char[Math.Max(Least, Math.Max(_chars.Length * 2, held + more))] : _chars;
        Span.CopyTo(room);
        _chars = room;
        _start = 0;
        _end = held;
    }
}
