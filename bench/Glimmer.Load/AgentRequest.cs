using System.Text.Json.Nodes;

namespace Glimmer.Load;

/// <summary>A request as coding agents send it over and over: a long system prompt, a dozen tools with schemas, a history of calls and their results.</summary>
internal static class AgentRequest
{
    private const int Tools = 12;
    private const int Turns = 10;

    /// <summary>Its body, of some 40 kB.</summary>
    /// <param name="question">What the user says last.</param>
    public static string Body(string question)
    {
        JsonArray messages = [Said("system", Text(0, 700))];
        for (int turn = 0; turn < Turns; turn++)
        {
            messages.Add(Said("user", Text(turn, 20)));
            JsonObject call = new() { ["id"] = $"call_{turn}", ["type"] = "function", ["function"] = new JsonObject { ["name"] = $"tool_{turn % Tools}", ["arguments"] = new JsonObject { ["path"] = $"src/{Words.At(turn)}.cs", ["count"] = turn }.ToJsonString() } };
            messages.Add(new JsonObject { ["role"] = "assistant", ["content"] = Text(turn, 10), ["tool_calls"] = new JsonArray(call) });
            messages.Add(new JsonObject { ["role"] = "tool", ["tool_call_id"] = $"call_{turn}", ["content"] = Text(turn, 300) });
        }

        messages.Add(Said("user", question));
        JsonArray tools = [.. Enumerable.Range(0, Tools).Select(Tool)];
        return new JsonObject { ["model"] = "glm-4.7", ["stream"] = true, ["stream_options"] = new JsonObject { ["include_usage"] = true }, ["tools"] = tools, ["messages"] = messages }.ToJsonString();
    }

    private static JsonObject Tool(int index)
    {
        JsonObject properties = [];
        for (int i = 0; i < 4; i++)
            properties.Add($"{Words.At(index + i)}_{i}", new JsonObject { ["type"] = i % 2 == 0 ? "string" : "integer", ["description"] = Text(index + i, 10) });
        return new JsonObject
        {
            ["type"] = "function",
            ["function"] = new JsonObject { ["name"] = $"tool_{index}", ["description"] = Text(index, 40), ["parameters"] = new JsonObject { ["type"] = "object", ["properties"] = properties } },
        };
    }

    private static JsonObject Said(string role, string text) => new() { ["role"] = role, ["content"] = text };

    private static string Text(int start, int words) => string.Join(' ', Enumerable.Range(start, words).Select(i => Words.At(i * 7)));
}
