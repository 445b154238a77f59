using System.Buffers;

namespace Glimmer.Server.Transport;

/// <summary>Sends a body of JSON that was written whole.</summary>
internal static class JsonResponse
{
    /// <summary>Writes its type, its length and it. Status and other headers stay as they are.</summary>
    public static async Task WriteAsync(HttpContext context, ArrayBufferWriter<byte> body)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.WrittenCount;
        await context.Response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }
}
