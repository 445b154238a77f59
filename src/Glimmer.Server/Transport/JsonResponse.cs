using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Json;

namespace Glimmer.Server.Transport;

/// <summary>Sends a body of JSON that was written whole.</summary>
internal static class JsonResponse
{
    /// <summary>Writes its type, its length and it. Status and other headers stay as they are.</summary>
    public static Task WriteAsync(HttpContext context, ArrayBufferWriter<byte> body) => WriteAsync(context, body.WrittenMemory);

    /// <inheritdoc cref="WriteAsync(HttpContext, ArrayBufferWriter{byte})"/>
    public static Task WriteAsync(HttpContext context, PooledBody body) => WriteAsync(context, body.Written);

    /// <summary>Writes one value, its type and its length.</summary>
    /// <param name="context">The request.</param>
    /// <param name="write">Writes the value.</param>
    public static Task WriteAsync(HttpContext context, Action<Utf8JsonWriter> write)
    {
        var body = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
            write(json);
        return WriteAsync(context, body);
    }

    private static Task WriteAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
