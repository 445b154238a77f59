using System.ClientModel;
using System.Text;
using System.Text.Json;
using OpenAI;
using OpenAI.Chat;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>The official OpenAI client for .NET, with only its address changed.</summary>
[Collection(TinyServerTests.Name)]
public sealed class OpenAIClientTests(TinyServer server)
{
    private readonly ChatClient _client = new("glm-4.7", new ApiKeyCredential(server.Key), new OpenAIClientOptions { Endpoint = server.Base });

    private static ChatTool Weather { get; } = ChatTool.CreateFunctionTool(
        "get_weather",
        "Current weather of a city",
        BinaryData.FromString("""{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"""));

    [Fact]
    public async Task Chat()
    {
        ChatCompletion answer = await _client.CompleteChatAsync([new SystemChatMessage("You are a friendly assistant."), new UserChatMessage("Hello!")], new ChatCompletionOptions { MaxOutputTokenCount = 300 });

        Assert.NotEqual("", answer.Content[0].Text);
        Assert.Equal(ChatMessageRole.Assistant, answer.Role);
        Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        Assert.Equal(answer.Usage.InputTokenCount + answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount);
        Assert.Equal("glm-4.7", answer.Model);
    }

    [Fact]
    public async Task Stream()
    {
        ChatMessage[] messages = [new UserChatMessage("What can you do?")];
        ChatCompletion plain = await _client.CompleteChatAsync(messages, new ChatCompletionOptions { MaxOutputTokenCount = 300, Temperature = 0 });
        StringBuilder text = new();
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in _client.CompleteChatStreamingAsync(messages, new ChatCompletionOptions { MaxOutputTokenCount = 300, Temperature = 0 }))
        {
            foreach (ChatMessageContentPart part in update.ContentUpdate)
                text.Append(part.Text);
            usage = update.Usage ?? usage;
        }

        Assert.Equal(plain.Content[0].Text, text.ToString());
        Assert.Equal(plain.Usage.OutputTokenCount, usage?.OutputTokenCount);
    }

    [Fact]
    public async Task Tools_called_and_answered()
    {
        List<ChatMessage> messages = [new UserChatMessage("What is the weather in Paris?")];
        ChatCompletionOptions options = new() { Tools = { Weather }, ToolChoice = ChatToolChoice.CreateRequiredChoice(), MaxOutputTokenCount = 400, Temperature = 0 };
        ChatCompletion called = await _client.CompleteChatAsync(messages, options);

        Assert.Equal(ChatFinishReason.ToolCalls, called.FinishReason);
        ChatToolCall call = Assert.Single(called.ToolCalls);
        Assert.Equal("get_weather", call.FunctionName);
        using JsonDocument arguments = JsonDocument.Parse(call.FunctionArguments);
        Assert.Equal(JsonValueKind.String, arguments.RootElement.GetProperty("city").ValueKind);

        messages.Add(new AssistantChatMessage(called));
        messages.Add(new ToolChatMessage(call.Id, """{"sky":"clear","celsius":21}"""));
        ChatCompletion answer = await _client.CompleteChatAsync(messages, new ChatCompletionOptions { Tools = { Weather }, ToolChoice = ChatToolChoice.CreateNoneChoice(), MaxOutputTokenCount = 400, Temperature = 0 });
        Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        Assert.NotEqual("", answer.Content[0].Text);
    }

    [Fact]
    public async Task Tool_calls_streamed()
    {
        ChatCompletionOptions options = new() { Tools = { Weather }, ToolChoice = ChatToolChoice.CreateFunctionChoice("get_weather"), MaxOutputTokenCount = 400, Temperature = 0 };
        StringBuilder name = new(), arguments = new();
        ChatFinishReason? finish = null;
        await foreach (StreamingChatCompletionUpdate update in _client.CompleteChatStreamingAsync([new UserChatMessage("What is the weather in Rome?")], options))
        {
            foreach (StreamingChatToolCallUpdate piece in update.ToolCallUpdates)
            {
                name.Append(piece.FunctionName);
                arguments.Append(piece.FunctionArgumentsUpdate);
            }

            finish = update.FinishReason ?? finish;
        }

        Assert.Equal("get_weather", name.ToString());
        Assert.Equal(ChatFinishReason.ToolCalls, finish);
        using JsonDocument read = JsonDocument.Parse(arguments.ToString());
        Assert.True(read.RootElement.TryGetProperty("city", out _));
    }

    [Fact]
    public async Task JSON_mode_and_JSON_schema()
    {
        ChatCompletion plain = await _client.CompleteChatAsync(
            [new UserChatMessage("List three planets as JSON with the key planets.")],
            new ChatCompletionOptions { ResponseFormat = ChatResponseFormat.CreateJsonObjectFormat(), MaxOutputTokenCount = 1000, Temperature = 0 });
        Assert.Equal(ChatFinishReason.Stop, plain.FinishReason);
        using (JsonDocument value = JsonDocument.Parse(plain.Content[0].Text))
            Assert.Equal(JsonValueKind.Object, value.RootElement.ValueKind);

        BinaryData schema = BinaryData.FromString("""{"type":"object","properties":{"city":{"enum":["Rome","Paris"]},"dry":{"type":"boolean"}},"required":["city","dry"],"additionalProperties":false}""");
        ChatCompletion kept = await _client.CompleteChatAsync(
            [new UserChatMessage("Tell me a story.")],
            new ChatCompletionOptions { ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("report", schema, jsonSchemaIsStrict: true), MaxOutputTokenCount = 1000 });
        using JsonDocument report = JsonDocument.Parse(kept.Content[0].Text);
        Assert.Contains(report.RootElement.GetProperty("city").GetString(), (string[])["Rome", "Paris"]);
        Assert.Contains(report.RootElement.GetProperty("dry").ValueKind, (JsonValueKind[])[JsonValueKind.True, JsonValueKind.False]);
    }

    [Fact]
    public async Task Errors_are_the_client_s_own_exceptions()
    {
        ClientResultException missing = await Assert.ThrowsAsync<ClientResultException>(() =>
            new ChatClient("no-such-model", new ApiKeyCredential(server.Key), new OpenAIClientOptions { Endpoint = server.Base }).CompleteChatAsync("Hello!"));
        Assert.Equal(400, missing.Status);
        Assert.Contains("no-such-model", missing.Message, StringComparison.Ordinal);
        ClientResultException stranger = await Assert.ThrowsAsync<ClientResultException>(() =>
            new ChatClient("glm-4.7", new ApiKeyCredential("nobody.nothing"), new OpenAIClientOptions { Endpoint = server.Base }).CompleteChatAsync("Hello!"));
        Assert.Equal(401, stranger.Status);
    }
}
