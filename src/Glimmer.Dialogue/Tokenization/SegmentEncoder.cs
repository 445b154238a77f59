namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// Builds the ids of a prompt from parts: runs of plain text, written in any number of pieces, and control tokens between them. The ids of a run are
/// those of its whole text, however it was cut; what the next piece may still change is kept back until it is certain. Not safe for
/// several threads at once.
/// </summary>
/// <remarks>
/// How far back an appended text can reach: a letter run, a run of other signs and a run of white space go on as long as the text does; a
/// digit group, up to three digits; an apostrophe waits for two letters; any single sign or space may still take the letters after it.
/// Everything before that last piece is certain. Work is linear in the text, even when it is written a character at a time.
/// </remarks>
public sealed class SegmentEncoder : IDisposable
{
    private readonly Tokenizer _tokenizer;
    private readonly List<int> _ids;
    private SegmentBuffer _segment;

    /// <summary>An encoder that appends to a list.</summary>
    /// <param name="tokenizer">Whose tokens.</param>
    /// <param name="ids">Takes the ids; nothing else may change it until <see cref="EndText"/>.</param>
    public SegmentEncoder(Tokenizer tokenizer, List<int> ids)
    {
        _tokenizer = tokenizer;
        _ids = ids;
        _segment = new SegmentBuffer(tokenizer);
    }

    /// <summary>Goes on with the current run of text. No input becomes an added token.</summary>
    public void Text(ReadOnlySpan<char> text) => _segment.Write(text, _ids);

    /// <summary>Ends the current run of text, if there is one, and appends an id as it is.</summary>
    public void Control(int id)
    {
        EndText();
        _ids.Add(id);
    }

    /// <summary>Ends the current run of text and appends an added token by its spelling.</summary>
    /// <exception cref="ArgumentException">The vocabulary has no such added token.</exception>
    public void Control(ReadOnlySpan<char> token)
    {
        if (!_tokenizer.TryGetAdded(token, out int id))
            throw new ArgumentException($"The vocabulary has no added token '{token}'.", nameof(token));
        Control(id);
    }

    /// <summary>Ends the current run of text: all its ids are in the list now.</summary>
    public void EndText() => _segment.End(_ids);

    /// <summary>Gives the memory back; text that was kept back is lost.</summary>
    public void Dispose() => _segment.Dispose();
}
