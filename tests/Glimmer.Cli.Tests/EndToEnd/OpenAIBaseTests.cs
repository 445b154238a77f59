using System.ClientModel;
using System.Text;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;
using OpenAI.Responses;

namespace Glimmer.Cli.Tests.EndToEnd;

#pragma warning disable OPENAI001 // The package marks its Responses client as one that may still change.

/// <summary>The official OpenAI client for .NET on OpenAI's own base.</summary>
[Collection(TinyServerTests.Name)]
public sealed class OpenAIBaseTests(TinyServer server)
{
    private readonly Uri _base = new(server.Server.Addresses[0], "/v1");

    [Fact]
    public async Task Chat_with_probabilities()
    {
        ChatClient client = new("glm-4.7", new ApiKeyCredential(server.Key), new OpenAIClientOptions { Endpoint = _base });
        ChatMessage[] messages = [new UserChatMessage("Hello! Who are you?")];
        ChatCompletionOptions options = new() { MaxOutputTokenCount = 300, Temperature = 0, IncludeLogProbabilities = true, TopLogProbabilityCount = 3 };
        ChatCompletion answer = await client.CompleteChatAsync(messages, options);
        Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        Assert.Equal(answer.Content[0].Text.Trim(), Encoding.UTF8.GetString([.. answer.ContentTokenLogProbabilities.SelectMany(token => token.Utf8Bytes!.Value.ToArray())]).Trim());
        Assert.All(answer.ContentTokenLogProbabilities, token => Assert.Equal(3, token.TopLogProbabilities.Count));

        StringBuilder text = new();
        int tokens = 0;
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in client.CompleteChatStreamingAsync(messages, options))
        {
            text.Append(string.Concat(update.ContentUpdate.Select(part => part.Text)));
            tokens += update.ContentTokenLogProbabilities.Count;
            usage = update.Usage ?? usage;
        }

        Assert.Equal(answer.Content[0].Text, text.ToString());
        Assert.Equal(answer.ContentTokenLogProbabilities.Count, tokens);
        Assert.Equal(answer.Usage.OutputTokenCount, usage?.OutputTokenCount);
    }

    [Fact]
    public async Task A_banned_token_is_not_said()
    {
        ChatClient client = new("glm-4.7", new ApiKeyCredential(server.Key), new OpenAIClientOptions { Endpoint = _base });
        ChatCompletionOptions options = new() { MaxOutputTokenCount = 40, Temperature = 0, IncludeLogProbabilities = true };
        ChatCompletion plain = await client.CompleteChatAsync([new UserChatMessage("Good night!")], options);
        List<int> ids = [];
        server.Package.Tokenizer.Encode(plain.Content[0].Text, recogniseAdded: false, ids);
        options.LogitBiases[ids[0]] = -100;
        ChatCompletion banned = await client.CompleteChatAsync([new UserChatMessage("Good night!")], options);
        Assert.NotEqual(plain.Content[0].Text, banned.Content[0].Text);
    }

    [Fact]
    public async Task Responses_plain_streamed_and_gone_on_from()
    {
        ResponsesClient client = new(new ApiKeyCredential(server.Key), new ResponsesClientOptions { Endpoint = _base });
        CreateResponseOptions Ask(string text, string? previous = null) => new()
        {
            Model = "glm-4.7",
            InputItems = { ResponseItem.CreateUserMessageItem(text) },
            PreviousResponseId = previous,
            Temperature = 0,
            MaxOutputTokenCount = 300,
            StoredOutputEnabled = true,
        };
        ResponseResult first = await client.CreateResponseAsync(Ask("Hello! Who are you?"), TestContext.Current.CancellationToken);
        Assert.NotEqual("", first.GetOutputText());
        Assert.Equal(ResponseStatus.Completed, first.Status);
        Assert.Equal(first.Usage.InputTokenCount + first.Usage.OutputTokenCount, first.Usage.TotalTokenCount);

        StringBuilder text = new();
        ResponseResult? final = null;
        CreateResponseOptions streamed = Ask("Hello! Who are you?");
        streamed.StreamingEnabled = true;
        await foreach (StreamingResponseUpdate update in await client.CreateResponseStreamingAsync(streamed, TestContext.Current.CancellationToken))
        {
            if (update is StreamingResponseOutputTextDeltaUpdate delta)
                text.Append(delta.Delta);
            if (update is StreamingResponseCompletedUpdate completed)
                final = completed.Response;
        }

        Assert.Equal(first.GetOutputText(), text.ToString());
        Assert.Equal(first.GetOutputText(), final!.GetOutputText());
        ResponseResult second = await client.CreateResponseAsync(Ask("And now?", first.Id), TestContext.Current.CancellationToken);
        Assert.True(second.Usage.InputTokenCount > first.Usage.InputTokenCount);
        ResponseResult kept = await client.GetResponseAsync(second.Id, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(second.GetOutputText(), kept.GetOutputText());
        await client.DeleteResponseAsync(second.Id, TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<ClientResultException>(() => client.GetResponseAsync(second.Id, cancellationToken: TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Models()
    {
        OpenAIModelClient client = new(new ApiKeyCredential(server.Key), new OpenAIClientOptions { Endpoint = _base });
        OpenAIModelCollection models = await client.GetModelsAsync(TestContext.Current.CancellationToken);
        Assert.Contains(models, model => model.Id == "glm-4.7");
    }
}
