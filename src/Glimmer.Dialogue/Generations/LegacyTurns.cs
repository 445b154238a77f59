using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>A message as the templates before GLM-4.5 know it.</summary>
/// <param name="Role">One of <c>system</c>, <c>user</c>, <c>assistant</c>, <c>observation</c>.</param>
/// <param name="Metadata">The called function's name; empty for none.</param>
/// <param name="Text">The content, joined.</param>
/// <param name="Message">The message it comes from.</param>
/// <param name="Index">Index of that message.</param>
internal readonly record struct LegacyTurn(string Role, string Metadata, ReadOnlyMemory<char> Text, ChatMessage Message, int Index)
{
    /// <summary>The control token of the role.</summary>
    public string Token => $"<|{Role}|>";
}

/// <summary>
/// Brings a conversation into the older form: a message with calls becomes its content (if any) and then one message per
/// call, whose metadata is the function's name; tool results are observations.
/// </summary>
internal static class LegacyTurns
{
    /// <summary>The messages in the older form.</summary>
    public static List<LegacyTurn> Of(Conversation conversation, PromptWriter writer)
    {
        List<LegacyTurn> turns = [];
        for (int i = 0; i < conversation.Messages.Count; i++)
        {
            ChatMessage message = conversation.Messages[i];
            ReadOnlyMemory<char> text = MessageText.Visible(message);
            string role = message.Role switch
            {
                ChatRole.System => "system",
                ChatRole.User => "user",
                ChatRole.Assistant => "assistant",
                _ => "observation",
            };
            if (message.ToolCalls.Count == 0 || !text.IsEmpty)
                turns.Add(new(role, "", text, message, i));
            for (int call = 0; call < message.ToolCalls.Count; call++)
            {
                string arguments = message.ToolCalls[call].Arguments;
                if (!ToolArguments.TryParse(arguments, out _, out string? problem))
                    writer.Fail(i, $"tool_calls[{call}].function.arguments", problem);
                turns.Add(new("assistant", message.ToolCalls[call].Name, (arguments.Length == 0 ? "{}" : arguments).AsMemory(), message, i));
            }
        }

        return turns;
    }

    /// <summary>The descriptions of the tools, each beginning with a line break.</summary>
    public static string Tools(IEnumerable<ToolDefinition> tools)
    {
        StringBuilder text = new();
        foreach (ToolDefinition tool in tools)
        {
            text.Append("\n## ").Append(tool.Name).Append("\n\n").Append(PythonJson.WriteIndented(tool.Function, 4));
            text.Append("\n在调用上述函数时，请使用 Json 格式表示调用的参数。");
        }

        return text.ToString();
    }
}
