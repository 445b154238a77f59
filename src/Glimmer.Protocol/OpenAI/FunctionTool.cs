using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Reads a function whose name and parameters stand in the object itself, not under <c>function</c>.</summary>
internal static class FunctionTool
{
    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    /// <summary>Checks a function.</summary>
    /// <param name="function">The object that holds it.</param>
    /// <param name="written">It in the platform's own form.</param>
    /// <returns>The tool; null when it is wrong.</returns>
    public static WireTool? Read(FieldReader function, JsonElement written)
    {
        if (function.Text("name", required: true, min: 1, max: 64) is not { } name)
            return null;
        if (name.AsSpan().ContainsAnyExcept(NameCharacters))
            function.Fail(PlatformError.Invalid(function.PathOf("name"), "it has other characters", "Use 1 to 64 letters, digits, _ or -"));
        function.Text("description");
        if (function.Object("parameters", "Send a JSON schema of type object") is { } parameters
            && parameters.TryGet("type", out JsonElement type)
            && !(type.ValueKind == JsonValueKind.String && type.ValueEquals("object"u8)))
        {
            parameters.Fail(PlatformError.Invalid(parameters.PathOf("type"), $"it is {FieldReader.Describe(type)}", "The arguments of a function are an object: use \"object\""));
        }

        return function.Error is null ? new WireTool("function", name, written, function.Path) : null;
    }
}
