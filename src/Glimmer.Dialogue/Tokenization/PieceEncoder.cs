using System.Text;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>Turns one piece into its tokens.</summary>
internal sealed class PieceEncoder
{
    private readonly PieceTable _pieces;
    private readonly MergeTable? _merges;
    private readonly BytePairs _bytePairs;
    private readonly MergeBarriers _barriers;
    private readonly bool _ignoreMerges;

    // For each id: 0 not known yet, else whether merging its bytes gives it. Written more than once at worst, with the same value.
    private readonly byte[] _mergesToItself;

    /// <summary>Builds the tables.</summary>
    /// <exception cref="TokenizerFileException">A merge makes no sense, or a ranks file lacks a byte.</exception>
    public PieceEncoder(TokenizerData data, Vocabulary vocabulary)
    {
        _pieces = vocabulary.Pieces;
        _ignoreMerges = data.IgnoreMerges || data.Merges is null;
        _bytePairs = new BytePairs(_pieces);
        if (data.Merges is null)
        {
            if (_bytePairs.FirstMissing >= 0)
                throw new TokenizerFileException(data.Source, $"no token for the byte 0x{_bytePairs.FirstMissing:X2}; a ranks file has one for each of the 256 bytes.");
            vocabulary.RankBytePairs(_bytePairs);
        }
        else
        {
            _merges = MergeReader.Read(data, vocabulary, _bytePairs);
        }

        _barriers = new MergeBarriers(vocabulary);
        _mergesToItself = new byte[vocabulary.Size];
        EncodesEveryByte = _bytePairs.FirstMissing < 0;
    }

    /// <summary>Whether each of the 256 bytes has a token. One without is dropped.</summary>
    public bool EncodesEveryByte { get; }

    /// <summary>Appends the tokens of a piece.</summary>
    /// <param name="piece">Well-formed UTF-8, not empty.</param>
    /// <param name="ids">Takes them.</param>
    public void Encode(ReadOnlySpan<byte> piece, List<int> ids)
    {
        if (_ignoreMerges)
        {
            int whole = _pieces.Find(piece);
            if (whole >= 0)
            {
                ids.Add(whole);
                return;
            }
        }

        // Where a byte is dropped its neighbours meet, so barriers between characters mean nothing.
        if (EncodesEveryByte && !Ascii.IsValid(piece))
            MergeParts(piece, ids);
        else
            Merge(piece, ids);
    }

    /// <summary>Appends the tokens that merging alone gives: no piece is taken whole, none is cut.</summary>
    public void Merge(ReadOnlySpan<byte> bytes, List<int> ids)
    {
        if (_merges is null)
            PieceMerger.Merge(bytes, _bytePairs, new TokenRanks(_pieces), ids);
        else
            PieceMerger.Merge(bytes, _bytePairs, new ListedRanks(_merges), ids);
    }

    // Cuts the piece where nothing can merge. The parts are mostly words, and mostly tokens.
    private void MergeParts(ReadOnlySpan<byte> piece, List<int> ids)
    {
        int start = 0;
        int left = PieceScanner.Decode(piece, 0, out int boundary);
        while (boundary < piece.Length)
        {
            int right = PieceScanner.Decode(piece, boundary, out int length);
            if (!_barriers.MayMerge(left, right, piece[boundary - 1], piece[boundary]))
            {
                MergePart(piece[start..boundary], ids);
                start = boundary;
            }

            left = right;
            boundary += length;
        }

        MergePart(piece[start..], ids);
    }

    private void MergePart(ReadOnlySpan<byte> part, List<int> ids)
    {
        int whole = _pieces.Find(part);
        if (whole >= 0 && MergesToItself(whole, part))
            ids.Add(whole);
        else
            Merge(part, ids);
    }

    private bool MergesToItself(int id, ReadOnlySpan<byte> bytes)
    {
        const byte Yes = 1;
        const byte No = 2;
        if (_mergesToItself[id] == 0)
        {
            List<int> ids = [];
            Merge(bytes, ids);
            _mergesToItself[id] = ids.Count == 1 && ids[0] == id ? Yes : No;
        }

        return _mergesToItself[id] == Yes;
    }
}
