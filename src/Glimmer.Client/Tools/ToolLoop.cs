using System.Text.Json;
using System.Text.Json.Nodes;

namespace Glimmer.Client;

/// <summary>Runs the tools that a model calls, until it answers.</summary>
public static class ToolLoop
{
    /// <summary>
    /// Asks, runs the functions that the answer calls, tells their results and asks again, until an answer calls none.
    /// Calls of one answer run one after the other. A call of an unknown function, arguments that are no JSON object and a
    /// <see cref="ToolException"/> are told to the model; every other exception of a function ends the loop.
    /// </summary>
    /// <param name="chat">Who is asked.</param>
    /// <param name="request">What is asked; its own tools are offered too, but nobody runs them here.</param>
    /// <param name="functions">What the model may call.</param>
    /// <param name="maxRounds">Most questions to the model.</param>
    /// <param name="cancel">Ends the loop.</param>
    /// <exception cref="GlimmerException">A request failed, or the model still calls tools after the last round.</exception>
    public static async Task<ToolRun> RunToolsAsync(
        this IGlimmerChat chat, CompletionRequest request, IReadOnlyList<ToolFunction> functions, int maxRounds = 10, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(chat);
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRounds, 1);
        Dictionary<string, ToolFunction> byName = functions.ToDictionary(function => function.Name, StringComparer.Ordinal);
        var messages = new List<Message>(request.Messages);
        Usage total = new();
        ToolChoice? choice = request.ToolChoice;
        IReadOnlyList<Tool> tools = [.. request.Tools ?? [], .. functions.Select(function => function.ToTool())];
        for (int round = 1; round <= maxRounds; round++)
        {
            // Every round is a request of its own, so it has an id of its own.
            Completion answer = await chat.CompleteAsync(
                request with { Messages = [.. messages], Tools = tools, ToolChoice = choice, RequestId = round == 1 ? request.RequestId : null }, cancel).ConfigureAwait(false);
            total = Add(total, answer.Usage);
            if (answer.Message is not { } message)
                throw new GlimmerServerException("The answer holds no message.") { RequestId = answer.RequestId };
            messages.Add(message);
            if (message.ToolCalls is not { Count: > 0 } calls)
                return new ToolRun(answer, messages, total, round);
            foreach (ToolCall call in calls)
                messages.Add(Message.Tool(call.Id, await RunAsync(byName, call, cancel).ConfigureAwait(false)));

            // What had to be called was called; forced again the model could never answer.
            if (choice is { Mode: "required" or "function" })
                choice = null;
        }

        throw new GlimmerException($"The model still calls tools after {maxRounds} rounds.");
    }

    private static async Task<string> RunAsync(Dictionary<string, ToolFunction> functions, ToolCall call, CancellationToken cancel)
    {
        if (!functions.TryGetValue(call.Function?.Name ?? "", out ToolFunction? function))
            return $"Error: there is no function {call.Function?.Name}. The functions are: {string.Join(", ", functions.Keys)}.";
        JsonObject? arguments;
        try
        {
            arguments = string.IsNullOrWhiteSpace(call.Function?.Arguments) ? [] : JsonNode.Parse(call.Function.Arguments) as JsonObject;
        }
        catch (JsonException)
        {
            arguments = null;
        }

        if (arguments is null)
            return "Error: the arguments are not a JSON object.";
        try
        {
            return await function.Run(arguments, cancel).ConfigureAwait(false);
        }
        catch (ToolException fault)
        {
            return $"Error: {fault.Message}";
        }
    }

    private static Usage Add(Usage total, Usage? more) => more is null ? total : new Usage
    {
        PromptTokens = total.PromptTokens + more.PromptTokens,
        CompletionTokens = total.CompletionTokens + more.CompletionTokens,
        TotalTokens = total.TotalTokens + more.TotalTokens,
        PromptTokensDetails = new PromptTokensDetails { CachedTokens = (total.PromptTokensDetails?.CachedTokens ?? 0) + (more.PromptTokensDetails?.CachedTokens ?? 0) },
        CompletionTokensDetails = new CompletionTokensDetails { ReasoningTokens = (total.CompletionTokensDetails?.ReasoningTokens ?? 0) + (more.CompletionTokensDetails?.ReasoningTokens ?? 0) },
    };
}

/// <summary>What a loop came to.</summary>
/// <param name="Answer">The last answer, which calls nothing.</param>
/// <param name="Messages">The whole conversation: the request's messages, every answer and every result.</param>
/// <param name="Usage">What all rounds cost.</param>
/// <param name="Rounds">How often the model was asked.</param>
public sealed record ToolRun(Completion Answer, IReadOnlyList<Message> Messages, Usage Usage, int Rounds);
