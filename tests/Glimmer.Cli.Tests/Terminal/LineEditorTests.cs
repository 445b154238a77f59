using Glimmer.Cli.Terminal;

namespace Glimmer.Cli.Tests.Terminal;

public sealed class LineEditorTests
{
    [Fact]
    public void Typed_characters_come_back() => Assert.Equal("hello", Read("hello", Key(ConsoleKey.Enter)));

    [Fact]
    public void The_cursor_moves_and_edits_in_the_middle() =>
        Assert.Equal("Xab", Read("abc", Key(ConsoleKey.Backspace), Key(ConsoleKey.Home), Key('X'), Key(ConsoleKey.Enter)));

    [Fact]
    public void An_emoji_is_deleted_as_one() =>
        Assert.Equal("a", Read("a👩‍👩‍👧", Key(ConsoleKey.Backspace), Key(ConsoleKey.Enter)));

    [Fact]
    public void Control_keys_cut_words_and_ends()
    {
        Assert.Equal("one ", Read("one two", Control(ConsoleKey.W), Key(ConsoleKey.Enter)));
        Assert.Equal("", Read("one two", Control(ConsoleKey.U), Key(ConsoleKey.Enter)));
        Assert.Equal("one", Read("one two", Key(ConsoleKey.LeftArrow, ConsoleModifiers.Control), Key(ConsoleKey.LeftArrow), Control(ConsoleKey.K), Key(ConsoleKey.Enter)));
    }

    [Fact]
    public void History_goes_up_and_down_and_keeps_the_draft()
    {
        InputHistory history = new(null);
        history.Add("first");
        history.Add("second");
        FakeTerminal terminal = new();
        terminal.Type("draft");
        terminal.Press(Key(ConsoleKey.UpArrow), Key(ConsoleKey.UpArrow), Key(ConsoleKey.UpArrow), Key(ConsoleKey.DownArrow), Key(ConsoleKey.DownArrow), Key(ConsoleKey.Enter));
        Assert.Equal("draft", new LineEditor(terminal, history).Read("> "));
        terminal.Press(Key(ConsoleKey.UpArrow), Key(ConsoleKey.UpArrow), Key(ConsoleKey.Enter));
        Assert.Equal("second", new LineEditor(terminal, history).Read("> "));
    }

    [Fact]
    public void A_pasted_text_keeps_its_line_breaks()
    {
        FakeTerminal terminal = new() { Pasting = true };
        terminal.Type("one");
        terminal.Press(Key(ConsoleKey.Enter));
        terminal.Type("two");
        terminal.Press(Key(ConsoleKey.Enter));
        Assert.Equal("one\ntwo", new LineEditor(terminal, new InputHistory(null)).Read("> "));
    }

    [Fact]
    public void Control_D_on_an_empty_line_and_the_end_of_input_end_it()
    {
        FakeTerminal terminal = new();
        terminal.Press(Control(ConsoleKey.D));
        Assert.Null(new LineEditor(terminal, new InputHistory(null)).Read("> "));
        Assert.Null(new LineEditor(new FakeTerminal(), new InputHistory(null)).Read("> "));
    }

    [Fact]
    public void History_survives_in_its_file()
    {
        string path = Path.GetTempFileName();
        try
        {
            InputHistory history = new(path);
            history.Add("a\\n b\nc");
            history.Add("a\\n b\nc");
            history.Add("   ");
            Assert.Equal(["a\\n b\nc"], new InputHistory(path).Entries);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("abc", 3)]
    [InlineData("你好", 4)]
    [InlineData("é", 1)]
    [InlineData("e\u0301", 1)]
    [InlineData("🙂", 2)]
    public void Width_counts_cells(string text, int cells) => Assert.Equal(cells, DisplayWidth.Of(text));

    private static string? Read(string typed, params ConsoleKeyInfo[] keys)
    {
        FakeTerminal terminal = new();
        terminal.Type(typed);
        terminal.Press(keys);
        return new LineEditor(terminal, new InputHistory(null)).Read("> ");
    }

    private static ConsoleKeyInfo Key(ConsoleKey key, ConsoleModifiers modifiers = default) =>
        new('\0', key, modifiers.HasFlag(ConsoleModifiers.Shift), modifiers.HasFlag(ConsoleModifiers.Alt), modifiers.HasFlag(ConsoleModifiers.Control));

    private static ConsoleKeyInfo Key(char character) => new(character, ConsoleKey.None, false, false, false);

    private static ConsoleKeyInfo Control(ConsoleKey key) => Key(key, ConsoleModifiers.Control);

    private sealed class FakeTerminal : ITerminal
    {
        private readonly Queue<ConsoleKeyInfo> _keys = [];

        /// <summary>Whether the keys arrive in one burst, as a paste does.</summary>
        public bool Pasting { get; init; }

        public int Width => 10;

        public bool KeyWaiting => Pasting && _keys.Count > 0;

        public void Type(string text)
        {
            foreach (char character in text)
                _keys.Enqueue(Key(character));
        }

        public void Press(params ConsoleKeyInfo[] keys)
        {
            foreach (ConsoleKeyInfo key in keys)
                _keys.Enqueue(key);
        }

        public ConsoleKeyInfo? ReadKey() => _keys.TryDequeue(out ConsoleKeyInfo key) ? key : null;

        public void Write(string text)
        {
        }
    }
}
