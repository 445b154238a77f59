using System.ClientModel;
using System.Text;
using System.Text.Json;
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
    public async Task A_response_in_the_background_is_streamed_and_gone_on_with()
    {
        ResponsesClient client = new(new ApiKeyCredential(server.Key), new ResponsesClientOptions { Endpoint = _base });
        CreateResponseOptions ask = new()
        {
            Model = "glm-4.7",
            InputItems = { ResponseItem.CreateUserMessageItem("Hello! Who are you?") },
            Temperature = 0,
            MaxOutputTokenCount = 300,
            BackgroundModeEnabled = true,
            StreamingEnabled = true,
        };
        StringBuilder text = new();
        int known = -1;
        string id = "";
        await foreach (StreamingResponseUpdate update in await client.CreateResponseStreamingAsync(ask, TestContext.Current.CancellationToken))
        {
            Assert.Equal(known + 1, update.SequenceNumber);
            known = update.SequenceNumber;
            if (update is StreamingResponseCreatedUpdate created)
                id = created.Response.Id;
            if (update is StreamingResponseOutputTextDeltaUpdate delta)
            {
                text.Append(delta.Delta);
                break;
            }
        }

        ResponseResult? final = null;
        await foreach (StreamingResponseUpdate update in await client.GetResponseStreamingAsync(new GetResponseOptions(id) { StreamingEnabled = true, StartingAfter = known }, TestContext.Current.CancellationToken))
        {
            Assert.Equal(known + 1, update.SequenceNumber);
            known = update.SequenceNumber;
            if (update is StreamingResponseOutputTextDeltaUpdate delta)
                text.Append(delta.Delta);
            if (update is StreamingResponseCompletedUpdate completed)
                final = completed.Response;
        }

        Assert.Equal(ResponseStatus.Completed, final!.Status);
        Assert.Equal(final.GetOutputText(), text.ToString());
    }

    [Fact]
    public async Task Signs_of_life_are_left_out_by_the_client()
    {
        const string Body = """
            : ping

            : ping

            data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}

            : ping

            data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}

            data: [DONE]


            """;
        using var http = new HttpClient(new Says(Body));
        ChatClient client = new("m", new ApiKeyCredential("x"), new OpenAIClientOptions { Endpoint = _base, Transport = new System.ClientModel.Primitives.HttpClientPipelineTransport(http) });
        StringBuilder text = new();
        await foreach (StreamingChatCompletionUpdate update in client.CompleteChatStreamingAsync([new UserChatMessage("x")], cancellationToken: TestContext.Current.CancellationToken))
            text.Append(string.Concat(update.ContentUpdate.Select(part => part.Text)));
        Assert.Equal("Hello", text.ToString());
    }

    [Fact]
    public async Task Raw_text_is_gone_on_with()
    {
        const string Prompt = "Good night! Sleep";
        List<int> ids = [];
        server.Package.Tokenizer.Encode(Prompt, recogniseAdded: true, ids);
        JsonElement ofText = await CompleteAsync(new { model = "glm-4.7", prompt = Prompt, temperature = 0, max_tokens = 8, logprobs = 2, echo = true });
        JsonElement ofIds = await CompleteAsync(new { model = "glm-4.7", prompt = ids, temperature = 0, max_tokens = 8, logprobs = 2, echo = true });
        Assert.Equal(ofText.GetProperty("choices").GetRawText(), ofIds.GetProperty("choices").GetRawText());
        JsonElement choice = ofText.GetProperty("choices")[0], probabilities = choice.GetProperty("logprobs");
        string text = choice.GetProperty("text").GetString()!;
        Assert.StartsWith(Prompt, text, StringComparison.Ordinal);
        Assert.Equal(text[Prompt.Length..], string.Concat(probabilities.GetProperty("tokens").EnumerateArray().Select(token => token.GetString())));
        Assert.Equal(Prompt.Length, probabilities.GetProperty("text_offset")[0].GetInt32());
        Assert.Equal(ids.Count, ofText.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());

        // The likeliest of several is at least as likely as the first of them alone.
        JsonElement best = await CompleteAsync(new { model = "glm-4.7", prompt = "Once", seed = 7, max_tokens = 6, best_of = 4, logprobs = 0 });
        JsonElement first = await CompleteAsync(new { model = "glm-4.7", prompt = "Once", seed = 7, max_tokens = 6, logprobs = 0 });
        Assert.True(Mean(best) >= Mean(first) - 1e-6);

        static double Mean(JsonElement answer) => answer.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray().Average(one => one.GetDouble());
    }

    [Fact]
    public async Task Models()
    {
        OpenAIModelClient client = new(new ApiKeyCredential(server.Key), new OpenAIClientOptions { Endpoint = _base });
        OpenAIModelCollection models = await client.GetModelsAsync(TestContext.Current.CancellationToken);
        Assert.Contains(models, model => model.Id == "glm-4.7");
    }

    /// <summary>The .NET client has no member for this endpoint any more; its protocol is plain.</summary>
    private async Task<JsonElement> CompleteAsync(object body)
    {
        using StringContent content = new(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await server.Client.PostAsync(new Uri("/v1/completions", UriKind.Relative), content, TestContext.Current.CancellationToken);
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>Answers every request with one stream.</summary>
    private sealed class Says(string body) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage { Content = new StringContent(body.ReplaceLineEndings("\n"), Encoding.UTF8, "text/event-stream"), RequestMessage = request });
    }
}
