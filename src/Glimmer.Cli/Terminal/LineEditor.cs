using System.Globalization;
using System.Text;

namespace Glimmer.Cli.Terminal;

/// <summary>
/// Reads a line with the keys people expect: arrows, Home, End, word jumps, history, Ctrl-U, Ctrl-K, Ctrl-W. A pasted
/// text with line breaks stays one entry, and Alt-Enter adds a line by hand.
/// </summary>
/// <param name="terminal">Keys and screen.</param>
/// <param name="history">Lines typed before.</param>
internal sealed class LineEditor(ITerminal terminal, InputHistory history)
{
    private readonly StringBuilder _line = new();
    private int _cursor;
    private int _drawnRows;
    private int _cursorRow;

    /// <summary>Reads one entry. Null when input ended or Ctrl-D was pressed on an empty line.</summary>
    public string? Read(string prompt)
    {
        _line.Clear();
        _cursor = 0;
        _drawnRows = 0;
        _cursorRow = 0;
        int entry = history.Entries.Count;
        string draft = "";
        Draw(prompt);
        while (true)
        {
            if (terminal.ReadKey() is not { } key)
                return null;
            switch (key)
            {
                case { Key: ConsoleKey.Enter } when key.Modifiers.HasFlag(ConsoleModifiers.Alt) || terminal.KeyWaiting:
                    Insert("\n");
                    break;
                case { Key: ConsoleKey.Enter }:
                    return Finish(prompt);
                case { Key: ConsoleKey.D, Modifiers: ConsoleModifiers.Control } when _line.Length == 0:
                    terminal.Write("\n");
                    return null;
                case { Key: ConsoleKey.UpArrow } or { Key: ConsoleKey.P, Modifiers: ConsoleModifiers.Control } when entry > 0:
                    if (entry == history.Entries.Count)
                        draft = _line.ToString();
                    Replace(history.Entries[--entry]);
                    break;
                case { Key: ConsoleKey.DownArrow } or { Key: ConsoleKey.N, Modifiers: ConsoleModifiers.Control } when entry < history.Entries.Count:
                    Replace(++entry == history.Entries.Count ? draft : history.Entries[entry]);
                    break;
                default:
                    Edit(key);
                    break;
            }

            // While a paste is arriving there is no use in drawing every character.
            if (!terminal.KeyWaiting)
                Draw(prompt);
        }
    }

    private void Edit(ConsoleKeyInfo key)
    {
        bool control = key.Modifiers.HasFlag(ConsoleModifiers.Control);
        switch (key.Key)
        {
            case ConsoleKey.LeftArrow:
                _cursor = control ? WordStart() : Previous(_cursor);
                break;
            case ConsoleKey.RightArrow:
                _cursor = control ? WordEnd() : Next(_cursor);
                break;
            case ConsoleKey.Home:
            case ConsoleKey.A when control:
                _cursor = 0;
                break;
            case ConsoleKey.End:
            case ConsoleKey.E when control:
                _cursor = _line.Length;
                break;
            case ConsoleKey.Backspace when _cursor > 0:
                Remove(Previous(_cursor), _cursor);
                break;
            case ConsoleKey.Delete when _cursor < _line.Length:
            case ConsoleKey.D when control && _cursor < _line.Length:
                Remove(_cursor, Next(_cursor));
                break;
            case ConsoleKey.U when control:
                Remove(0, _cursor);
                break;
            case ConsoleKey.K when control:
                Remove(_cursor, _line.Length);
                break;
            case ConsoleKey.W when control:
                Remove(WordStart(), _cursor);
                break;
            default:
                if (!char.IsControl(key.KeyChar))
                    Insert(key.KeyChar.ToString());
                break;
        }
    }

    private string Finish(string prompt)
    {
        _cursor = _line.Length;
        Draw(prompt);
        terminal.Write("\n");
        string text = _line.ToString();
        history.Add(text);
        return text;
    }

    private void Insert(string text)
    {
        _line.Insert(_cursor, text);
        _cursor += text.Length;
    }

    private void Replace(string text)
    {
        _line.Clear().Append(text);
        _cursor = text.Length;
    }

    private void Remove(int from, int to)
    {
        _line.Remove(from, to - from);
        _cursor = from;
    }

    // Whole text elements, so that an emoji or an accented letter moves as one.
    private int Next(int index) => index >= _line.Length ? index : index + StringInfo.GetNextTextElementLength(_line.ToString(), index);

    private int Previous(int index)
    {
        int last = 0;
        for (int i = 0; i < index; i = Next(i))
            last = i;
        return last;
    }

    private int WordStart()
    {
        int i = _cursor;
        while (i > 0 && char.IsWhiteSpace(_line[i - 1]))
            i--;
        while (i > 0 && !char.IsWhiteSpace(_line[i - 1]))
            i--;
        return i;
    }

    private int WordEnd()
    {
        int i = _cursor;
        while (i < _line.Length && char.IsWhiteSpace(_line[i]))
            i++;
        while (i < _line.Length && !char.IsWhiteSpace(_line[i]))
            i++;
        return i;
    }

    // Draws prompt and text anew from the first row, and puts the cursor where it belongs.
    private void Draw(string prompt)
    {
        StringBuilder screen = new();
        if (_cursorRow > 0)
            screen.Append(CultureInfo.InvariantCulture, $"\u001b[{_cursorRow}A");
        screen.Append("\r\u001b[J").Append(prompt);
        int width = terminal.Width, indent = DisplayWidth.Of(prompt), row = 0, column = indent;
        (int Row, int Column) cursor = (0, indent);
        string text = _line.ToString();
        for (int i = 0; i <= text.Length; i++)
        {
            if (i == _cursor)
                cursor = (row, column);
            if (i == text.Length)
                break;
            if (text[i] == '\n')
            {
                screen.Append("\r\n").Append(' ', indent);
                (row, column) = (row + 1, indent);
                continue;
            }

            int length = StringInfo.GetNextTextElementLength(text, i);
            string element = text.Substring(i, length);
            int cells = DisplayWidth.Of(element);
            if (column + cells > width)
            {
                screen.Append("\r\n");
                (row, column) = (row + 1, 0);
                if (i == _cursor)
                    cursor = (row, column);
            }

            screen.Append(element);
            column += cells;
            i += length - 1;
        }

        _drawnRows = row;
        if (_drawnRows > cursor.Row)
            screen.Append(CultureInfo.InvariantCulture, $"\u001b[{_drawnRows - cursor.Row}A");
        screen.Append('\r');
        if (cursor.Column > 0)
            screen.Append(CultureInfo.InvariantCulture, $"\u001b[{cursor.Column}C");
        _cursorRow = cursor.Row;
        terminal.Write(screen.ToString());
    }
}
