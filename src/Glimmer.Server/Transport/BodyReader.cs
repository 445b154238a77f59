using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Server.Transport;

/// <summary>A request body in a rented buffer.</summary>
internal struct RequestBody : IDisposable
{
    private byte[]? _buffer;

    public RequestBody(byte[] buffer, int length)
    {
        _buffer = buffer;
        Memory = buffer.AsMemory(0, length);
    }

    public Memory<byte> Memory { get; private set; }

    /// <summary>Returns the buffer. It held a prompt, so it is cleared.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer)
        {
            Memory.Span.Clear();
            Memory = default;
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <summary>Reads whole bodies of bounded size.</summary>
internal static class BodyReader
{
    /// <summary>Reads a body that holds one JSON object, and from it a request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="maxBytes">Largest body.</param>
    /// <param name="read">Reads the fields. The body is gone once it returns: what stays must be detached.</param>
    /// <returns>The request, or the error when there is none.</returns>
    public static async ValueTask<(T? Request, PlatformError? Error)> ReadAsync<T>(
        HttpContext context, long maxBytes, Func<FieldReader, (T? Request, PlatformError? Error)> read)
        where T : class
    {
        (RequestBody raw, PlatformError? error) = await ReadAsync(context, maxBytes);
        using RequestBody body = raw;
        if (error is not null)
            return (null, error);
        (JsonBody? json, error) = JsonBody.Parse(body.Memory);
        using (json)
            return json is null ? (null, error) : read(json.Root);
    }

    /// <summary>Reads the body; 413 with code 1210 when it is larger than allowed, 415 when it is compressed.</summary>
    public static async ValueTask<(RequestBody Body, PlatformError? Error)> ReadAsync(HttpContext context, long maxBytes)
    {
        string encoding = context.Request.Headers.ContentEncoding.ToString();
        if (encoding.Length > 0 && !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase))
            return (default, Compressed());
        long? announced = context.Request.ContentLength;
        if (announced > maxBytes)
            return (default, TooLarge(context, maxBytes));

        // The length a client announces is believed only as far as bytes really come.
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(announced ?? 0, 4096, 1 << 20));
        int length = 0;
        PipeReader reader = context.Request.BodyReader;
        try
        {
            while (true)
            {
                ReadResult result = await reader.ReadAsync(context.RequestAborted);
                if (length + result.Buffer.Length > maxBytes)
                {
                    reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
                    ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
                    return (default, TooLarge(context, maxBytes));
                }

                int part = (int)result.Buffer.Length;
                if (length + part > buffer.Length)
                    buffer = Grow(buffer, length, length + part);
                result.Buffer.CopyTo(buffer.AsSpan(length));
                length += part;
                reader.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                    return (new RequestBody(buffer, length), null);
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
            throw;
        }
    }

    private static byte[] Grow(byte[] buffer, int length, int needed)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, (int)Math.Min(Array.MaxLength, buffer.Length * 2L)));
        buffer.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        return larger;
    }

    private static PlatformError Compressed() =>
        new(BusinessCode.CallIncorrect, "The request body is compressed (header Content-Encoding), which this server does not read. Send it plain, without that header.")
        {
            Chinese = "不支持压缩的请求体（Content-Encoding），请去掉该请求头并发送未压缩的内容",
            Status = StatusCodes.Status415UnsupportedMediaType,
        };

    private static PlatformError TooLarge(HttpContext context, long maxBytes)
    {
        // What is left of the body is not worth reading.
        context.Response.Headers.Connection = "close";
        string size = maxBytes.ToString(CultureInfo.InvariantCulture);
        return new PlatformError(BusinessCode.CallIncorrect, $"The request body is too large. Send at most {size} bytes (setting Glimmer:Limits:BodyBytes).")
        {
            Chinese = $"请求体过大，最多 {size} 字节（设置项 Glimmer:Limits:BodyBytes）",
            Status = StatusCodes.Status413PayloadTooLarge,
        };
    }
}
