using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Reads bodies of OpenAI's <c>/v1/conversations</c>.</summary>
public static class ConversationReader
{
    private const string ItemLegal = "Send a list of items such as {\"type\":\"message\",\"role\":\"user\",\"content\":\"…\"}";

    /// <summary>Most items in one request.</summary>
    public const int MaxItems = 20;

    /// <summary>The items, detached, and the metadata as JSON text.</summary>
    /// <param name="body">The body.</param>
    /// <param name="itemsRequired">Whether there must be items.</param>
    public static (IReadOnlyList<JsonElement> Items, string? Metadata, PlatformError? Error) Read(FieldReader body, bool itemsRequired)
    {
        string? metadata = RequestMetadata.Check(body)?.GetRawText();
        JsonElement[] items = [];
        if (body.Objects("items", ItemLegal, required: itemsRequired, max: MaxItems) is not null && body.TryGet("items", out JsonElement list))
            items = [.. list.Clone().EnumerateArray()];
        foreach (FieldReader item in body.Objects("items", ItemLegal) ?? [])
        {
            string type = item.Text("type") ?? "message";
            if (type == "message")
                item.Word("role", true, "user", "assistant", "system", "developer");
            else if (type is not ("reasoning" or "function_call" or "function_call_output" or "custom_tool_call" or "custom_tool_call_output"))
                item.Fail(PlatformError.Invalid(item.PathOf("type"), "it is not possible here", "Use message, reasoning, function_call, function_call_output, custom_tool_call or custom_tool_call_output"));
        }

        return body.Error is { } error ? ([], null, error) : (items, metadata, null);
    }
}
