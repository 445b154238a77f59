using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>Tools and calls in the tagged form that GLM has used since 4.5.</summary>
/// <param name="lineBreaks">Whether line breaks stand between the pieces (4.5, 4.6) or nothing (4.7 and later).</param>
internal sealed class TaggedTools(bool lineBreaks)
{
    private static readonly PromptTemplate Head = new(
        """
        <|system|>
        # Tools

        You may call one or more functions to assist with the user query.

        You are provided with function signatures within <tools></tools> XML tags:
        <tools>

        """.ReplaceLineEndings("\n"));

    private readonly PromptTemplate _tail = new(
        ("""
        </tools>

        For each function call, output the function name and arguments within the following XML format:

        """ + (lineBreaks
            ? """
            <tool_call>{function-name}
            <arg_key>{arg-key-1}</arg_key>
            <arg_value>{arg-value-1}</arg_value>
            <arg_key>{arg-key-2}</arg_key>
            <arg_value>{arg-value-2}</arg_value>
            ...
            </tool_call>
            """
            : "<tool_call>{function-name}<arg_key>{arg-key-1}</arg_key><arg_value>{arg-value-1}</arg_value>" +
              "<arg_key>{arg-key-2}</arg_key><arg_value>{arg-value-2}</arg_value>...</tool_call>")).ReplaceLineEndings("\n"));

    /// <summary>Writes the block that offers the tools.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="lines">One line of JSON per tool.</param>
    public void Offer(PromptWriter writer, IEnumerable<string> lines)
    {
        StringBuilder text = new();
        foreach (string line in lines)
            text.Append(line).Append('\n');
        writer.Template(Head);
        writer.Text(text.ToString());
        writer.Template(_tail);
    }

    /// <summary>Writes the calls of a message.</summary>
    public void Calls(PromptWriter writer, ChatMessage message, int index)
    {
        for (int call = 0; call < message.ToolCalls.Count; call++)
        {
            if (!ToolArguments.TryParse(message.ToolCalls[call].Arguments, out JsonElement arguments, out string? problem))
            {
                writer.Fail(index, $"tool_calls[{call}].function.arguments", problem);
                return;
            }

            Call(writer, message.ToolCalls[call].Name, arguments);
        }
    }

    private void Call(PromptWriter writer, string name, JsonElement arguments)
    {
        Break(writer);
        writer.Control(ControlTokens.ToolCall);
        writer.Text(name);
        Break(writer);
        foreach ((string key, JsonElement value) in JsonText.Properties(arguments))
        {
            writer.Control(ControlTokens.ArgKey);
            writer.Text(key);
            writer.Control(ControlTokens.ArgKeyEnd);
            Break(writer);
            writer.Control(ControlTokens.ArgValue);
            writer.Text(value.ValueKind == JsonValueKind.String ? JsonText.StringOf(value) : PythonJson.Write(value));
            writer.Control(ControlTokens.ArgValueEnd);
            Break(writer);
        }

        writer.Control(ControlTokens.ToolCallEnd);
    }

    private void Break(PromptWriter writer)
    {
        if (lineBreaks)
            writer.Text("\n");
    }
}
