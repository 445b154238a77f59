namespace Glimmer.Inference.Remote;

/// <summary>The server-sent events of one response, read as they come. What is held of one event is bounded.</summary>
/// <param name="response">The response, which is closed with this.</param>
/// <param name="body">Its body.</param>
internal sealed class EngineEvents(HttpResponseMessage? response, Stream body) : IDisposable
{
    /// <summary>Longest event, in bytes.</summary>
    public const int MaxEvent = 8 << 20;

    private byte[] _buffer = new byte[4096];
    private int _from;
    private int _to;
    private byte[] _data = new byte[1024];
    private int _length;
    private bool _hasData;

    /// <summary>The data of the next event, valid until the next call; null when the stream has ended. An event that the end cuts is none.</summary>
    /// <exception cref="EngineException">An event is too long.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> NextAsync(CancellationToken cancel)
    {
        _length = 0;
        _hasData = false;
        int searched = 0;
        while (true)
        {
            int end = _buffer.AsSpan(_from + searched, _to - _from - searched).IndexOf((byte)'\n');
            if (end >= 0)
            {
                int line = _from;
                int length = searched + end;
                _from += length + 1;
                searched = 0;
                if (Line(_buffer.AsSpan(line, length)))
                    return _data.AsMemory(0, _length);
                continue;
            }

            searched = _to - _from;
            if (!await FillAsync(cancel))
                return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        body.Dispose();
        response?.Dispose();
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancel)
    {
        if (_from > 0)
        {
            _buffer.AsSpan(_from, _to - _from).CopyTo(_buffer);
            (_from, _to) = (0, _to - _from);
        }

        if (_to == _buffer.Length)
        {
            if (_to >= MaxEvent)
                throw TooLong();
            Array.Resize(ref _buffer, Math.Min(MaxEvent, _to * 2));
        }

        int read = await body.ReadAsync(_buffer.AsMemory(_to), cancel).ConfigureAwait(false);
        _to += read;
        return read > 0;
    }

    /// <summary>Takes a line; true when it ends an event that has data.</summary>
    private bool Line(ReadOnlySpan<byte> line)
    {
        if (line.EndsWith("\r"u8))
            line = line[..^1];
        if (line.IsEmpty)
            return _hasData;
        if (!line.StartsWith("data:"u8) && !line.StartsWith("error:"u8))
            return false;
        line = line[(line.IndexOf((byte)':') + 1)..];
        if (line.StartsWith(" "u8))
            line = line[1..];
        if (_length + line.Length + 1 > MaxEvent)
            throw TooLong();
        if (_length + line.Length + 1 > _data.Length)
            Array.Resize(ref _data, Math.Max(_length + line.Length + 1, _data.Length * 2));
        if (_hasData)
            _data[_length++] = (byte)'\n';
        line.CopyTo(_data.AsSpan(_length));
        _length += line.Length;
        _hasData = true;
        return false;
    }

    private static EngineException TooLong() => EngineException.Failed($"The engine sent an event of more than {MaxEvent} bytes.");
}
