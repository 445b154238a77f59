using System.Text;

namespace Glimmer.Protocol.Sse;

/// <summary>A server-sent event.</summary>
/// <param name="Data">Its data lines, joined by line feeds.</param>
/// <param name="Event">Its type; <c>message</c> when the stream names none.</param>
/// <param name="Id">The last id the stream gave; empty for none.</param>
public readonly record struct SseEvent(string Data, string Event = "message", string Id = "")
{
    /// <summary>Whether this is the native dialects' closing event, in whatever case it is written.</summary>
    public bool IsDone => Data.StartsWith("[DONE]", StringComparison.OrdinalIgnoreCase);
}

/// <summary>
/// Turns bytes into events, in the way of the HTML standard (§9.2.6): lines end with LF, CR or CRLF, a leading byte order mark,
/// comments and unknown fields are skipped, events without data are not reported. Where the chunks of bytes are cut
/// makes no difference. Unlike a browser it also reports the last event of a stream that ends without an empty line,
/// because some servers close right after <c>[DONE]</c>.
/// </summary>
public sealed class SseDecoder
{
    private readonly int _maxEventBytes;
    private readonly Queue<SseEvent> _events = new();
    private readonly StringBuilder _data = new();
    private byte[] _line = new byte[256];
    private int _lineLength;
    private bool _lastWasReturn;
    private bool _anyLine;
    private bool _hasData;
    private string _event = "";
    private string _id = "";

    /// <summary>Decoder of one stream.</summary>
    /// <param name="maxEventBytes">Largest line, and largest data of an event in characters; more is an error.</param>
    public SseDecoder(int maxEventBytes = 64 << 20)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxEventBytes, 16);
        _maxEventBytes = maxEventBytes;
    }

    /// <summary>Takes the next bytes of the stream.</summary>
    /// <exception cref="InvalidDataException">A line or an event is larger than allowed.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_lastWasReturn)
            {
                _lastWasReturn = false;
                if (bytes[0] == (byte)'\n')
                {
                    bytes = bytes[1..];
                    continue;
                }
            }

            int end = bytes.IndexOfAny((byte)'\n', (byte)'\r');
            if (end < 0)
            {
                Keep(bytes);
                return;
            }

            Keep(bytes[..end]);
            _lastWasReturn = bytes[end] == (byte)'\r';
            bytes = bytes[(end + 1)..];
            EndLine();
        }
    }

    /// <summary>Says that the stream has ended.</summary>
    public void Complete()
    {
        if (_lineLength > 0)
            EndLine();
        Dispatch();
    }

    /// <summary>Takes the next event that is complete.</summary>
    public bool TryRead(out SseEvent next) => _events.TryDequeue(out next);

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        int length = checked(_lineLength + bytes.Length);
        if (length > _maxEventBytes)
            throw new InvalidDataException($"A line of the event stream is larger than {_maxEventBytes} bytes.");
        if (length > _line.Length)
            Array.Resize(ref _line, Math.Max(length, Math.Min(_maxEventBytes, _line.Length * 2)));
        bytes.CopyTo(_line.AsSpan(_lineLength));
        _lineLength = length;
    }

    private void EndLine()
    {
        ReadOnlySpan<byte> line = _line.AsSpan(0, _lineLength);
        _lineLength = 0;
        if (!_anyLine && line.StartsWith("\uFEFF"u8))
            line = line[3..];
        _anyLine = true;
        if (line.IsEmpty)
        {
            Dispatch();
            return;
        }

        int colon = line.IndexOf((byte)':');
        if (colon == 0)
            return;
        ReadOnlySpan<byte> field = colon < 0 ? line : line[..colon];
        ReadOnlySpan<byte> value = colon < 0 ? default : line[(colon + 1)..];
        if (!value.IsEmpty && value[0] == (byte)' ')
            value = value[1..];

        if (field.SequenceEqual("data"u8))
            AddData(value);
        else if (field.SequenceEqual("event"u8))
            _event = Encoding.UTF8.GetString(value);
        else if (field.SequenceEqual("id"u8) && !value.Contains((byte)0))
            _id = Encoding.UTF8.GetString(value);
    }

    private void AddData(ReadOnlySpan<byte> value)
    {
        if (_hasData)
            _data.Append('\n');
        _hasData = true;
        if (_data.Length + value.Length > _maxEventBytes)
            throw new InvalidDataException($"An event of the stream is larger than {_maxEventBytes} bytes.");
        _data.Append(Encoding.UTF8.GetString(value));
    }

    private void Dispatch()
    {
        if (_hasData)
            _events.Enqueue(new SseEvent(_data.ToString(), _event.Length == 0 ? "message" : _event, _id));
        _data.Clear();
        _hasData = false;
        _event = "";
    }
}
