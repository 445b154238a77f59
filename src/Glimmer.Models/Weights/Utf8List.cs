using System.Collections;
using System.Text;

namespace Glimmer.Models.Weights;

/// <summary>
/// A list of byte strings that stays in the mapped file: nothing is decoded until it is asked for, so that a
/// vocabulary of 150 000 tokens costs one table of offsets.
/// </summary>
/// <remarks>Immutable and safe to share. Keeps the file mapped.</remarks>
public sealed class Utf8List : IReadOnlyList<string>
{
    private readonly FileBytes _file;
    private readonly string _key;
    private readonly long[] _ends; // offset of the first byte after each string; its length lies 8 bytes before its start
    private readonly long _first;

    internal Utf8List(FileBytes file, string key, long offset, int count)
    {
        _file = file;
        _key = key;
        _first = offset;
        _ends = new long[count];
        for (int i = 0; i < count; i++)
        {
            // The lengths were checked when the file was opened.
            offset += 8 + BitConverter.ToInt64(file.Slice(offset, 8));
            _ends[i] = offset;
        }
    }

    /// <inheritdoc/>
    public int Count => _ends.Length;

    /// <summary>The string at <paramref name="index"/>, decoded.</summary>
    /// <exception cref="ModelFileException">It is not valid UTF-8.</exception>
    public string this[int index] => GgufMetadata.Decode(_file, $"{_key}[{index}]", BytesOf(index));

    /// <summary>The bytes of the string at <paramref name="index"/>; valid while this list is reachable.</summary>
    public ReadOnlySpan<byte> BytesOf(int index)
    {
        long start = (index == 0 ? _first : _ends[index - 1]) + 8;
        return _file.Slice(start, (int)(_ends[index] - start));
    }

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator()
    {
        for (int i = 0; i < Count; i++)
            yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
