using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Sse;

/// <summary>
/// Writes server-sent events exactly as the strictest client of the native bases wants them (spec: api.md §5.1): one
/// line <c>data: {json}</c> and one empty line, nothing else ever. Writes into the pipe without copies; one JSON writer
/// serves all events of a stream.
/// </summary>
public sealed class SseWriter : IDisposable
{
    private readonly PipeWriter _output;
    private readonly Utf8JsonWriter _json;

    /// <summary>Over a pipe, which stays the caller's.</summary>
    public SseWriter(PipeWriter output)
    {
        _output = output;
        _json = new Utf8JsonWriter(output, WireJson.WriterOptions);
    }

    /// <summary>Whether something was written that is not flushed yet.</summary>
    public bool HasUnflushed => UnflushedBytes > 0;

    /// <summary>Bytes written since the last flush.</summary>
    public long UnflushedBytes { get; private set; }

    /// <summary>Begins an event; write one JSON object to the result, then call <see cref="EndEvent"/>.</summary>
    public Utf8JsonWriter BeginEvent()
    {
        _output.Write("data: "u8);
        _json.Reset();
        return _json;
    }

    /// <summary>Begins an event with a name, for dialects that have such.</summary>
    /// <param name="name">The name, in UTF-8 without line breaks.</param>
    public Utf8JsonWriter BeginEvent(ReadOnlySpan<byte> name)
    {
        _output.Write("event: "u8);
        _output.Write(name);
        _output.Write("\n"u8);
        UnflushedBytes += name.Length + 8;
        return BeginEvent();
    }

    /// <summary>Ends the event begun last.</summary>
    public void EndEvent()
    {
        _json.Flush();
        UnflushedBytes += _json.BytesCommitted + 8;
        _output.Write("\n\n"u8);
    }

    /// <summary>Begins a line that is one JSON object, for dialects that stream lines instead of events; end it with <see cref="EndLine"/>.</summary>
    public Utf8JsonWriter BeginLine()
    {
        _json.Reset();
        return _json;
    }

    /// <summary>Ends the line begun last.</summary>
    public void EndLine()
    {
        _json.Flush();
        UnflushedBytes += _json.BytesCommitted + 1;
        _output.Write("\n"u8);
    }

    /// <summary>Begins an element of a stream that is one JSON array; end it with <see cref="EndElement"/>.</summary>
    /// <param name="first">Whether it is the array's first.</param>
    public Utf8JsonWriter BeginElement(bool first)
    {
        _output.Write(first ? "["u8 : ",\n"u8);
        _json.Reset();
        return _json;
    }

    /// <summary>Ends the element begun last.</summary>
    public void EndElement()
    {
        _json.Flush();
        UnflushedBytes += _json.BytesCommitted + 2;
    }

    /// <summary>Ends the array, which has at least one element.</summary>
    public void EndArray()
    {
        _output.Write("]\n"u8);
        UnflushedBytes += 2;
    }

    /// <summary>Writes an event without lines, which every reader skips, and which is white space to a reader of JSON: a sign of life for dialects whose clients stumble over comments.</summary>
    public void WriteBlank()
    {
        _output.Write("\n\n"u8);
        UnflushedBytes += 2;
    }

    /// <summary>Writes the event that says that the stream is complete.</summary>
    public void WriteDone()
    {
        _output.Write("data: [DONE]\n\n"u8);
        UnflushedBytes += 14;
    }

    /// <summary>Writes a comment, which clients leave out: a sign of life for dialects whose clients all do. The native bases know none.</summary>
    public void WritePing()
    {
        _output.Write(": ping\n\n"u8);
        UnflushedBytes += 8;
    }

    /// <summary>Writes an event that was written before, with its lines.</summary>
    public void WriteRaw(ReadOnlySpan<byte> written)
    {
        _output.Write(written);
        UnflushedBytes += written.Length;
    }

    /// <summary>Sends what was written; waits while the client is slow.</summary>
    /// <returns>False when nobody reads any more.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool> FlushAsync(CancellationToken cancel)
    {
        UnflushedBytes = 0;
        FlushResult result = await _output.FlushAsync(cancel);
        return !result.IsCompleted && !result.IsCanceled;
    }

    /// <summary>Frees the JSON writer; the pipe stays as it is.</summary>
    public void Dispose()
    {
        // An event that was begun and not ended must not reach the pipe on the way out.
        _json.Reset(Stream.Null);
        _json.Dispose();
    }
}
