using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;
using Glimmer.Protocol.Json;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Hosting;

/// <summary>
/// Writes log lines as JSON, one object per line: <c>time</c>, <c>level</c>, <c>event</c>, <c>id</c>, then the values of the message by
/// their names, without repeating them in a sentence. Lines of the framework have <c>category</c> and <c>message</c>
/// instead. Lines are queued and written by one task; when the reader is slower than the server, lines are dropped and
/// counted rather than holding requests.
/// </summary>
internal sealed class JsonLogProvider : ILoggerProvider
{
    private const int MaxQueued = 8192;
    private readonly Stream _output;
    private readonly TimeProvider _time;
    private readonly Channel<byte[]> _lines = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(MaxQueued) { SingleReader = true });
    private readonly ConcurrentDictionary<string, ILogger> _loggers = new(StringComparer.Ordinal);
    private readonly Task _writing;
    private readonly TimeSpan _patience;
    private long _dropped;

    /// <summary>Writes lines to a stream.</summary>
    /// <param name="output">Where they go.</param>
    /// <param name="time">Their clock.</param>
    /// <param name="patience">How long the end waits for lines to be written; null for five seconds.</param>
    public JsonLogProvider(Stream output, TimeProvider time, TimeSpan? patience = null)
    {
        _patience = patience ?? TimeSpan.FromSeconds(5);
        _output = output;
        _time = time;
        _writing = Task.Run(WriteAsync);
    }

    public ILogger CreateLogger(string categoryName) =>
        _loggers.GetOrAdd(categoryName, static (name, owner) => new Logger(owner, name), this);

    /// <summary>Writes what is queued and ends.</summary>
    public void Dispose()
    {
        _lines.Writer.TryComplete();
        _writing.Wait(_patience);
    }

    private async Task WriteAsync()
    {
        try
        {
            while (await _lines.Reader.WaitToReadAsync())
            {
                while (_lines.Reader.TryRead(out byte[]? line))
                    await _output.WriteAsync(line);
                if (Interlocked.Exchange(ref _dropped, 0) is > 0 and long dropped)
                    await _output.WriteAsync(Format(_time.GetUtcNow(), LogLevel.Warning, nameof(Glimmer), new EventId(1004, "LinesDropped"), [KeyValuePair.Create("Count", (object?)dropped)], null));
                await _output.FlushAsync();
            }
        }
        catch (IOException)
        {
            // Nobody reads the log any more; the server goes on.
            _lines.Writer.TryComplete();
        }
    }

    internal static byte[] Format(
        DateTimeOffset time, LogLevel level, string category, EventId id, IReadOnlyList<KeyValuePair<string, object?>> values, string? message)
    {
        var line = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(line, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("time"u8, time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteString("level"u8, level.ToString());
            json.WriteString("event"u8, id.Name ?? "");
            json.WriteNumber("id"u8, id.Id);
            if (message is not null)
            {
                json.WriteString("category"u8, category);
                json.WriteString("message"u8, message);
            }

            foreach ((string name, object? value) in values)
            {
                if (name != "{OriginalFormat}")
                    WriteValue(json, name, value);
            }

            json.WriteEndObject();
        }

        line.Write("\n"u8);
        return line.WrittenSpan.ToArray();
    }

    private static void WriteValue(Utf8JsonWriter json, string name, object? value)
    {
        json.WritePropertyName(name);
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case bool flag:
                json.WriteBooleanValue(flag);
                break;
            case int number:
                json.WriteNumberValue(number);
                break;
            case long number:
                json.WriteNumberValue(number);
                break;
            case double number when double.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            default:
                json.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }

    private sealed class Logger(JsonLogProvider owner, string category) : ILogger
    {
        private readonly bool _ours = category.StartsWith("Glimmer", StringComparison.Ordinal);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var values = _ours ? state as IReadOnlyList<KeyValuePair<string, object?>> : null;
            string? message = values is null ? formatter(state, exception) : null;
            if (exception is not null)
                message = $"{message} {FaultText.Of(exception)}";
            if (!owner._lines.Writer.TryWrite(Format(owner._time.GetUtcNow(), logLevel, category, eventId, values ?? [], message)))
                Interlocked.Increment(ref owner._dropped);
        }
    }
}
