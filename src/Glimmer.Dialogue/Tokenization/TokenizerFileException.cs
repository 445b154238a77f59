namespace Glimmer.Dialogue.Tokenization;

/// <summary>A tokenizer file that cannot be used: unreadable, malformed, hostile, or of a kind that is not supported.</summary>
/// <param name="file">The file at fault.</param>
/// <param name="fault">What is wrong with it and, where that helps, what would be right.</param>
/// <param name="inner">The cause, when there is one.</param>
public sealed class TokenizerFileException(string file, string fault, Exception? inner = null)
    : Exception($"{file}: {fault}", inner)
{
    /// <summary>The file at fault.</summary>
    public string File { get; } = file;

    /// <summary>What is wrong with it.</summary>
    public string Fault { get; } = fault;
}
