namespace Glimmer.Dialogue.Tokenization;

/// <summary>A token that is found in the text as a string, before any merging.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its spelling; not empty.</param>
public sealed record AddedToken(int Id, string Content)
{
    /// <summary>Whether output never shows it.</summary>
    public bool Special { get; init; }

    /// <summary>Whether it only counts when no word character touches it.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Whether it swallows the white space before it.</summary>
    public bool StripLeft { get; init; }

    /// <summary>Whether it swallows the white space after it.</summary>
    public bool StripRight { get; init; }

    /// <summary>Whether it is looked for only in the text that the other added tokens leave (in the reference: after normalising).</summary>
    public bool Normalized { get; init; }
}
