using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Glimmer.Platform.Responses;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Server.Responses;

/// <summary>Answers with JSON, and with pages of items.</summary>
internal static class JsonReply
{
    private const int DefaultPage = 20;
    private const int LargestPage = 100;

    /// <summary>Answers with a text that is JSON already.</summary>
    public static Task WriteAsync(HttpContext context, string json) => WriteAsync(context, Encoding.UTF8.GetBytes(json));

    /// <summary>Answers with what is written.</summary>
    public static Task WriteAsync(HttpContext context, Action<Utf8JsonWriter> write)
    {
        var body = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
            write(json);
        return WriteAsync(context, body.WrittenMemory);
    }

    /// <summary>Answers with a page of items (<c>limit</c>, <c>order</c>, <c>after</c>), newest first unless asked otherwise.</summary>
    /// <returns>The error, when the query is wrong; nothing has been answered then.</returns>
    public static async Task<PlatformError?> WritePageAsync(HttpContext context, IReadOnlyList<StoredItem> oldestFirst)
    {
        IQueryCollection query = context.Request.Query;
        int limit = DefaultPage;
        if (query["limit"].ToString() is { Length: > 0 } asked
            && (!int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > LargestPage))
        {
            return PlatformError.Invalid("limit", "it is no number of items", $"Use a whole number from 1 to {LargestPage}");
        }

        string order = query["order"].ToString();
        if (order is not ("" or "asc" or "desc"))
            return PlatformError.Invalid("order", "it is not known", "Use asc or desc");
        List<StoredItem> items = [.. oldestFirst];
        if (order != "asc")
            items.Reverse();
        int first = 0;
        if (query["after"].ToString() is { Length: > 0 } after)
        {
            first = items.FindIndex(item => item.Id == after) + 1;
            if (first == 0)
                return PlatformError.Invalid("after", "no item has this id", "Use last_id of the page before");
        }

        List<StoredItem> page = items[first..Math.Min(first + limit, items.Count)];
        await WriteAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteString("object"u8, "list"u8);
            json.WriteStartArray("data"u8);
            foreach (StoredItem item in page)
                json.WriteRawValue(item.Json, skipInputValidation: true);
            json.WriteEndArray();
            json.WriteString("first_id"u8, page.Count > 0 ? page[0].Id : null);
            json.WriteString("last_id"u8, page.Count > 0 ? page[^1].Id : null);
            json.WriteBoolean("has_more"u8, first + page.Count < items.Count);
            json.WriteEndObject();
        });
        return null;
    }

    private static async Task WriteAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }
}
