using System.Buffers;
using System.Text;
using Glimmer.Inference.Relay.Errors;
using Glimmer.Inference.Relay.Requests;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>The arguments of one call as they come in: knows when the object is complete, and keeps all of it to check it then.</summary>
internal sealed class CallArguments : IDisposable
{
    private const int MaxBytes = 8 << 20;
    private byte[] _text = [];
    private int _length;
    private int _told;
    private int _depth;
    private bool _inText;
    private bool _escaped;

    /// <summary>Whether the object's last brace has come.</summary>
    public bool IsBalanced { get; private set; }

    /// <summary>Whether nothing but blanks, or the word for nothing, has come.</summary>
    public bool IsNothing => _length == 0 || _text.AsSpan(0, _length).Trim(" \t\r\n"u8) is { IsEmpty: true } or [(byte)'n', (byte)'u', (byte)'l', (byte)'l'];

    /// <summary>Whether all of it is the JSON of an object.</summary>
    public bool IsObject => ArgumentsJson.IsObject(_text.AsSpan(0, _length));

    /// <summary>Adds a piece.</summary>
    /// <exception cref="UpstreamFaultException">More comes after the end, or there is too much of it.</exception>
    public void Add(string piece)
    {
        foreach (char c in piece)
            Follow(c);
        int most = Encoding.UTF8.GetMaxByteCount(piece.Length);
        if (_length + most > _text.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_length + most, _text.Length * 2));
            _text.AsSpan(0, _length).CopyTo(larger);
            Free();
            _text = larger;
        }

        _length += Encoding.UTF8.GetBytes(piece, _text.AsSpan(_length));
        if (_length > MaxBytes)
            throw new UpstreamFaultException($"the arguments of a call have more than {MaxBytes} bytes");
    }

    /// <summary>What has come and was not taken before; empty as long as it may be the word for nothing.</summary>
    public string Take()
    {
        if (_depth == 0 && !IsBalanced)
            return "";
        string text = Encoding.UTF8.GetString(_text.AsSpan(_told, _length - _told));
        _told = _length;
        return text;
    }

    /// <summary>Whether nothing was taken before a piece, so that the piece itself may be told in place of <see cref="Take"/>.</summary>
    public bool TakeWhole(string piece)
    {
        int bytes = Encoding.UTF8.GetByteCount(piece);
        if (_depth == 0 && !IsBalanced || _told + bytes != _length)
            return false;
        _told = _length;
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => Free();

    private void Follow(char c)
    {
        if (_inText)
        {
            if (_escaped)
                _escaped = false;
            else if (c == '\\')
                _escaped = true;
            else if (c == '"')
                _inText = false;
            return;
        }

        if (IsBalanced && !char.IsWhiteSpace(c))
            throw new UpstreamFaultException("the arguments of a call go on after their end");
        switch (c)
        {
            case '{' or '[':
                _depth++;
                break;
            case '}' or ']':
                IsBalanced = --_depth <= 0;
                break;
            case '"':
                _inText = true;
                break;
            default:
                break;
        }
    }

    private void Free()
    {
        if (_text.Length > 0)
            ArrayPool<byte>.Shared.Return(_text);
        _text = [];
    }
}
