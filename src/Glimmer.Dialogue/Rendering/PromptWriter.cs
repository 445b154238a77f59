using Glimmer.Dialogue.Conversations;

namespace Glimmer.Dialogue.Rendering;

/// <summary>A stretch of a prompt: one control token, or characters that are only characters.</summary>
/// <param name="Text">The spelling or the characters.</param>
/// <param name="IsControl">Whether it is a control token.</param>
/// <param name="Media">The medium whose placeholder this token is.</param>
internal readonly record struct PromptSegment(ReadOnlyMemory<char> Text, bool IsControl, MediaPart? Media = null);

/// <summary>
/// What a renderer writes to. Control tokens and text come in by different doors, so that no text can turn into a
/// control token, whatever it spells.
/// </summary>
internal sealed class PromptWriter(int continueMessage)
{
    private int _end = -1;
    private bool _trims;

    /// <summary>What was written, in order.</summary>
    public List<PromptSegment> Segments { get; } = [];

    /// <summary>The first problem that the renderer met.</summary>
    public RenderFault? Fault { get; private set; }

    /// <summary>A control token by its spelling. A vocabulary that lacks it spells it out.</summary>
    public void Control(string token) => Segments.Add(new(token.AsMemory(), IsControl: true));

    /// <summary>Text of a client.</summary>
    public void Text(ReadOnlyMemory<char> text)
    {
        if (!text.IsEmpty)
            Segments.Add(new(text, IsControl: false));
    }

    /// <summary>Text of a client.</summary>
    public void Text(string text) => Text(text.AsMemory());

    /// <summary>A literal of the template: the control tokens in it are meant.</summary>
    public void Template(PromptTemplate template) => Segments.AddRange(template.Segments);

    /// <summary>The placeholder of a medium.</summary>
    public void Media(MediaPart part)
    {
        string name = part.Kind switch { MediaKind.Image => "image", MediaKind.Video => "video", _ => "audio" };
        Segments.Add(new($"<|begin_of_{name}|>".AsMemory(), IsControl: true, part.Kind == MediaKind.Audio ? part : null));
        if (part.Kind != MediaKind.Audio)
            Segments.Add(new($"<|{name}|>".AsMemory(), IsControl: true, part));
        Segments.Add(new($"<|end_of_{name}|>".AsMemory(), IsControl: true));
    }

    /// <summary>The text of message <paramref name="index"/> as the template prints it.</summary>
    /// <param name="index">The message.</param>
    /// <param name="text">Its text.</param>
    /// <param name="trims">
    /// Whether the template takes white space off the text's ends. When this is the message to be continued, the prompt
    /// ends right after the text, and with such a template never in white space.
    /// </param>
    public void Content(int index, ReadOnlyMemory<char> text, bool trims = false)
    {
        Text(trims ? PythonText.Strip(text) : text);
        if (!Continues(index))
            return;
        _end = Segments.Count;
        _trims = trims;
    }

    /// <summary>Whether this message is to be continued.</summary>
    public bool Continues(int index) => index == continueMessage;

    /// <summary>
    /// Turns the ending of the text just written, which spells a control token, into that token; does nothing when the
    /// spelling is interrupted by something that is not text.
    /// </summary>
    public void MakeControl(string token)
    {
        int covered = 0;
        int at = Segments.Count;
        while (covered < token.Length && at > 0 && !Segments[at - 1].IsControl)
            covered += Segments[--at].Text.Length;
        if (covered < token.Length)
            return;
        bool ends = _end == Segments.Count;
        PromptSegment first = Segments[at];
        Segments.RemoveRange(at, Segments.Count - at);
        Text(first.Text[..(covered - token.Length)]);
        Control(token);
        if (ends)
            _end = Segments.Count;
    }

    /// <summary>Notes a problem; the first one counts.</summary>
    public void Fail(int message, string field, string problem) => Fault ??= new RenderFault(message, field, problem);

    /// <summary>Cuts what follows the message to be continued.</summary>
    public void Finish()
    {
        if (_end < 0)
            return;
        Segments.RemoveRange(_end, Segments.Count - _end);
        while (_trims && Segments.Count > 0 && Segments[^1] is { IsControl: false } last)
        {
            ReadOnlyMemory<char> rest = PythonText.StripEnd(last.Text);
            Segments.RemoveAt(Segments.Count - 1);
            Text(rest);
            if (!rest.IsEmpty)
                return;
        }
    }
}

/// <summary>A literal of a template, cut into control tokens and text once.</summary>
internal sealed class PromptTemplate
{
    /// <summary>Cuts a literal.</summary>
    public PromptTemplate(string literal)
    {
        ReadOnlyMemory<char> rest = literal.AsMemory();
        while (!rest.IsEmpty)
        {
            int at = rest.Span.IndexOfAny(ControlTokens.Search);
            if (at != 0)
            {
                Segments.Add(new(at < 0 ? rest : rest[..at], IsControl: false));
                rest = at < 0 ? default : rest[at..];
                continue;
            }

            string token = LongestAt(rest.Span);
            Segments.Add(new(token.AsMemory(), IsControl: true));
            rest = rest[token.Length..];
        }
    }

    /// <summary>The pieces.</summary>
    public List<PromptSegment> Segments { get; } = [];

    private static string LongestAt(ReadOnlySpan<char> text)
    {
        string best = "";
        foreach (string token in ControlTokens.All)
        {
            if (token.Length > best.Length && text.StartsWith(token, StringComparison.Ordinal))
                best = token;
        }

        return best;
    }
}
