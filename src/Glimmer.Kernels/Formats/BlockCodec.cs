namespace Glimmer.Kernels.Formats;

/// <summary>
/// Turns blocks of one <see cref="BlockFormat"/> into 32-bit floats and back. This is the plain twin of every
/// matrix kernel that works on the packed form: slow, obvious and bit exact with the reference implementation.
/// </summary>
/// <remarks>Adding a format is one file with one codec and its line in <see cref="BlockCodecs"/>.</remarks>
public abstract class BlockCodec
{
    /// <summary>The format this codec reads.</summary>
    public abstract BlockFormat Format { get; }

    /// <summary>Numbers in one block (1 for unblocked formats such as F16).</summary>
    public abstract int BlockLength { get; }

    /// <summary>Bytes in one block.</summary>
    public abstract int BytesPerBlock { get; }

    /// <summary>
    /// Dequantises whole blocks. <paramref name="values"/> holds a multiple of <see cref="BlockLength"/> numbers
    /// and <paramref name="blocks"/> exactly the bytes of that many blocks.
    /// </summary>
    public abstract void Dequantise(ReadOnlySpan<byte> blocks, Span<float> values);

    /// <summary>Whether <see cref="Quantise(ReadOnlySpan{float}, Span{byte})"/> is supported.</summary>
    public virtual bool CanQuantise => false;

    /// <summary>Quantises whole blocks; the inverse of <see cref="Dequantise"/> up to rounding.</summary>
    /// <exception cref="NotSupportedException">This format is only read (<see cref="CanQuantise"/> is false).</exception>
    public virtual void Quantise(ReadOnlySpan<float> values, Span<byte> blocks) =>
        throw new NotSupportedException($"Quantising to {Format} is not supported; choose one of: {string.Join(", ", BlockCodecs.Quantisable)}.");

    /// <summary>Whether <see cref="Quantise(ReadOnlySpan{float}, ReadOnlySpan{float}, Span{byte})"/> heeds importance.</summary>
    public virtual bool HeedsImportance => false;

    /// <summary>
    /// Quantises one row so that the columns that matter lose least. Formats that leave no choice, or whose reference makes none, ignore the importance.
    /// </summary>
    /// <param name="values">A row.</param>
    /// <param name="importance">For each column of the row how much it matters: mean square of the activations that meet it, not negative.</param>
    /// <param name="blocks">Receives the blocks.</param>
    /// <exception cref="NotSupportedException">This format is only read (<see cref="CanQuantise"/> is false).</exception>
    public virtual void Quantise(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<byte> blocks) => Quantise(values, blocks);

    /// <summary>Bytes that <paramref name="count"/> numbers occupy; the count must be a multiple of <see cref="BlockLength"/>.</summary>
    public long BytesFor(long count) => checked(count / BlockLength * BytesPerBlock);
}
