using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>How GLM-5.1 and later print a tool: the function itself, without what only the platform reads.</summary>
internal static class FunctionLines
{
    /// <summary>The tools offered from the start: those whose loading is not deferred.</summary>
    public static IEnumerable<string> Offered(IReadOnlyList<ToolDefinition> tools) =>
        tools.Where(tool => !IsDeferred(tool)).Select(Of);

    /// <summary>The line of one tool.</summary>
    public static string Of(ToolDefinition tool)
    {
        StringBuilder line = new("{");
        foreach ((string key, JsonElement value) in JsonText.Properties(tool.Function))
        {
            if (key is "strict" or "defer_loading")
                continue;
            if (line.Length > 1)
                line.Append(", ");
            PythonJson.WriteString(line, key);
            line.Append(": ").Append(PythonJson.Write(value));
        }

        return line.Append('}').ToString();
    }

    private static bool IsDeferred(ToolDefinition tool) =>
        JsonText.TryGet(tool.Function, "defer_loading", out JsonElement deferred) && deferred.ValueKind == JsonValueKind.True;
}
