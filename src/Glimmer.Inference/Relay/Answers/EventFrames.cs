using System.Buffers;
using Glimmer.Inference.Relay.Errors;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>
/// Cuts a stream of bytes into server-sent events, in the way of the HTML standard (§9.2.6), without making strings. Where the chunks are cut makes no
/// difference. The spans that it gives are valid until the next call.
/// </summary>
internal sealed class EventFrames : IDisposable
{
    /// <summary>Largest line, and largest data of an event, in bytes.</summary>
    public const int MaxBytes = 16 << 20;

    private const int Block = 16 << 10;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(Block);
    private byte[] _data = ArrayPool<byte>.Shared.Rent(1 << 10);
    private int _dataLength;
    private int _start;
    private int _scanned;
    private int _end;
    private bool _hasData;
    private bool _anyLine;
    private bool _afterReturn;

    /// <summary>Where the next bytes of the stream go; call <see cref="Advance"/> with how many came.</summary>
    public Memory<byte> Room
    {
        get
        {
            if (_start == _end)
                _start = _scanned = _end = 0;
            if (_buffer.Length - _end < Block / 4)
            {
                if (_start > 0)
                {
                    _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
                    (_scanned, _end, _start) = (_scanned - _start, _end - _start, 0);
                }

                if (_buffer.Length - _end < Block / 4)
                    Grow(ref _buffer, _end, _buffer.Length * 2);
            }

            return _buffer.AsMemory(_end);
        }
    }

    /// <summary>Says how many bytes were put into <see cref="Room"/>.</summary>
    public void Advance(int count) => _end += count;

    /// <summary>Takes the next event that is complete.</summary>
    /// <param name="data">Its data.</param>
    /// <exception cref="UpstreamFaultException">A line or an event is too large.</exception>
    public bool TryRead(out ReadOnlySpan<byte> data)
    {
        while (TryReadLine(out ReadOnlySpan<byte> line))
        {
            if (line.IsEmpty)
            {
                if (!_hasData)
                    continue;
                data = _data.AsSpan(0, _dataLength);
                _dataLength = 0;
                _hasData = false;
                return true;
            }

            Take(line);
        }

        data = default;
        return false;
    }

    /// <summary>Takes what is left when the stream has ended: some services close right after their last line.</summary>
    /// <inheritdoc cref="TryRead" path="/param"/>
    /// <inheritdoc cref="TryRead" path="/exception"/>
    public bool TryReadLast(out ReadOnlySpan<byte> data)
    {
        if (_end > _start)
            Take(_buffer.AsSpan(_start, _end - _start));
        _start = _scanned = _end;
        data = _data.AsSpan(0, _dataLength);
        bool any = _hasData;
        _hasData = false;
        _dataLength = 0;
        return any;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        byte[] buffer = Interlocked.Exchange(ref _buffer, []), data = Interlocked.Exchange(ref _data, []);
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
        if (data.Length > 0)
            ArrayPool<byte>.Shared.Return(data);
    }

    private bool TryReadLine(out ReadOnlySpan<byte> line)
    {
        line = default;
        if (_afterReturn && _start < _end)
        {
            _afterReturn = false;
            if (_buffer[_start] == (byte)'\n')
                _start++;
            _scanned = Math.Max(_scanned, _start);
        }

        int found = _buffer.AsSpan(_scanned, _end - _scanned).IndexOfAny((byte)'\n', (byte)'\r');
        if (found < 0)
        {
            _scanned = _end;
            if (_end - _start > MaxBytes)
                throw new UpstreamFaultException($"it sent a line of more than {MaxBytes} bytes");
            return false;
        }

        int end = _scanned + found;
        line = _buffer.AsSpan(_start, end - _start);
        _afterReturn = _buffer[end] == (byte)'\r';
        _start = _scanned = end + 1;
        if (!_anyLine && line.StartsWith("\uFEFF"u8))
            line = line[3..];
        _anyLine = true;
        return true;
    }

    /// <summary>Only the data counts: both forms say in it what an event is.</summary>
    private void Take(ReadOnlySpan<byte> line)
    {
        if (!line.StartsWith("data"u8))
            return;
        ReadOnlySpan<byte> value = line[4..];
        if (!value.IsEmpty)
        {
            if (value[0] != (byte)':')
                return;
            value = value[1..];
            if (!value.IsEmpty && value[0] == (byte)' ')
                value = value[1..];
        }

        int needed = _dataLength + value.Length + 1;
        if (needed > MaxBytes)
            throw new UpstreamFaultException($"it sent an event of more than {MaxBytes} bytes");
        if (needed > _data.Length)
            Grow(ref _data, _dataLength, Math.Max(needed, _data.Length * 2));
        if (_hasData)
            _data[_dataLength++] = (byte)'\n';
        value.CopyTo(_data.AsSpan(_dataLength));
        _dataLength += value.Length;
        _hasData = true;
    }

    private static void Grow(ref byte[] buffer, int used, int size)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(size);
        buffer.AsSpan(0, used).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }
}
