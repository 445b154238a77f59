using System.Text;
using System.Text.Json;
using Anthropic;
using Anthropic.Core;
using Anthropic.Exceptions;
using Anthropic.Models.Messages;
using Anthropic.Models.Messages.Batches;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>
/// The official Anthropic client for .NET, with only its address changed, on both bases. Texts and streams are checked against its types; calls and models are not, whose
/// newest members (<c>caller</c>, <c>lifecycle</c>) tell of things that only Anthropic's own service has.
/// </summary>
[Collection(TinyServerTests.Name)]
public sealed class AnthropicClientTests(TinyServer server)
{
    private static Tool Weather { get; } = new()
    {
        Name = "get_weather",
        Description = "Current weather of a city",
        InputSchema = new InputSchema { Properties = new Dictionary<string, JsonElement> { ["city"] = JsonSerializer.SerializeToElement(new { type = "string" }) }, Required = ["city"] },
    };

    [Theory]
    [InlineData("/api/anthropic", true)]
    [InlineData("/api/anthropic", false)]
    [InlineData("", true)]
    public async Task Messages_plain_and_streamed_with_a_key_or_a_token(string path, bool asKey)
    {
        using AnthropicClient client = Client(path, asKey);
        MessageCreateParams asked = Ask("Hello! Who are you?");
        Message answer = await client.Messages.Create(asked, TestContext.Current.CancellationToken);
        answer.Validate();
        string said = string.Concat(answer.Content.Select(block => block.TryPickText(out TextBlock? text) ? text.Text : ""));
        Assert.NotEqual("", said);
        Assert.True(answer.Usage.InputTokens + answer.Usage.CacheReadInputTokens > 0 && answer.Usage.OutputTokens > 0);

        StringBuilder streamed = new();
        List<string> kinds = [];
        await foreach (RawMessageStreamEvent part in client.Messages.CreateStreaming(asked, TestContext.Current.CancellationToken))
        {
            part.Validate();
            kinds.Add(part.Json.GetProperty("type").GetString()!);
            if (part.TryPickContentBlockDelta(out RawContentBlockDeltaEvent? delta) && delta.Delta.TryPickText(out TextDelta? text))
                streamed.Append(text.Text);
        }

        Assert.Equal(said, streamed.ToString());
        Assert.Equal(("message_start", "message_stop"), (kinds[0], kinds[^1]));
    }

    [Fact]
    public async Task A_tool_is_called_and_its_result_answered()
    {
        using AnthropicClient client = Client("/api/anthropic", asKey: true, validates: false);
        MessageCreateParams asked = Ask("What is the weather in Paris?") with { Tools = [Weather], ToolChoice = new ToolChoiceAny() };
        Message called = await client.Messages.Create(asked, TestContext.Current.CancellationToken);
        Assert.Equal("tool_use", called.StopReason!.Raw());
        ToolUseBlock call = called.Content.Select(block => block.TryPickToolUse(out ToolUseBlock? use) ? use : null).OfType<ToolUseBlock>().First();
        Assert.Equal(JsonValueKind.String, call.Input["city"].ValueKind);
        List<ContentBlockParam> said = [new ToolUseBlockParam { ID = call.ID, Name = call.Name, Input = call.Input }], result = [new ToolResultBlockParam { ToolUseID = call.ID, Content = "sunny" }];
        Message answer = await client.Messages.Create(
            asked with { ToolChoice = new ToolChoiceAuto(), Messages = [.. asked.Messages, new AssistantMessageParam { Content = said }, new UserMessageParam { Content = result }] }, TestContext.Current.CancellationToken);
        answer.Validate();
        Assert.NotEmpty(answer.Content);
    }

    [Fact]
    public async Task Counting_models_and_errors()
    {
        using AnthropicClient client = Client("/api/anthropic", asKey: true, validates: false);
        MessageCreateParams asked = Ask("How many?");
        MessageTokensCount count = await client.Messages.CountTokens(new MessageCountTokensParams { Model = "glm-4.7", Messages = asked.Messages }, TestContext.Current.CancellationToken);
        Message answer = await client.Messages.Create(asked, TestContext.Current.CancellationToken);
        Assert.Equal(answer.Usage.InputTokens + (answer.Usage.CacheReadInputTokens ?? 0), count.InputTokens);
        Assert.Contains((await client.Models.List(cancellationToken: TestContext.Current.CancellationToken)).Items, model => model.ID == "glm-4.7");

        AnthropicApiException missing = await Assert.ThrowsAsync<AnthropicNotFoundException>(() => client.Messages.Create(asked with { Model = "nothing" }, TestContext.Current.CancellationToken));
        Assert.Contains("nothing", missing.ResponseBody, StringComparison.Ordinal);
        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => client.Messages.Create(asked with { MaxTokens = -1 }, TestContext.Current.CancellationToken));
        using AnthropicClient wrong = new(new ClientOptions { BaseUrl = client.BaseUrl, ApiKey = "a.b", MaxRetries = 0 });
        await Assert.ThrowsAsync<AnthropicUnauthorizedException>(() => wrong.Messages.Create(asked, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_batch_is_given_waited_for_and_read()
    {
        using AnthropicClient client = Client("/api/anthropic", asKey: true);
        static Params Asked(string text, string model) => new() { Model = model, MaxTokens = 40, Messages = [new UserMessageParam { Content = text }] };
        MessageBatch batch = await client.Messages.Batches.Create(
            new BatchCreateParams { Requests = [new Request { CustomID = "one", Params = Asked("Hello!", "glm-4.7") }, new Request { CustomID = "two", Params = Asked("Bye!", "nothing") }] }, TestContext.Current.CancellationToken);
        for (int i = 0; i < 6000 && batch.ProcessingStatus.Raw() != "ended"; i++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
            batch = await client.Messages.Batches.Retrieve(batch.ID, cancellationToken: TestContext.Current.CancellationToken);
        }

        Dictionary<string, MessageBatchResult> results = [];
        await foreach (MessageBatchIndividualResponse response in client.Messages.Batches.ResultsStreaming(batch.ID, cancellationToken: TestContext.Current.CancellationToken))
            results.Add(response.CustomID, response.Result);
        Assert.True(results["one"].TryPickSucceeded(out MessageBatchSucceededResult? succeeded));
        Assert.NotEmpty(succeeded!.Message.Content);
        Assert.True(results["two"].TryPickErrored(out _));
        Assert.Equal((1, 1), (batch.RequestCounts.Succeeded, batch.RequestCounts.Errored));
        await client.Messages.Batches.Delete(batch.ID, cancellationToken: TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Leaving_a_stream_ends_its_generation()
    {
        using AnthropicClient client = Client("/api/anthropic", asKey: true);
        await foreach (RawMessageStreamEvent part in client.Messages.CreateStreaming(Ask("Tell me a long story.") with { MaxTokens = 2000 }, TestContext.Current.CancellationToken))
        {
            if (part.TryPickContentBlockDelta(out _))
                break;
        }

        await server.AssertIdleAsync(TimeSpan.FromMinutes(2));
    }

    /// <summary>The client has no member for the temperature any more; the field itself is sent.</summary>
    private static MessageCreateParams Ask(string text) =>
        new(new Dictionary<string, JsonElement>(StringComparer.Ordinal), new Dictionary<string, JsonElement>(StringComparer.Ordinal), new Dictionary<string, JsonElement>(StringComparer.Ordinal) { ["temperature"] = JsonSerializer.SerializeToElement(0) })
        {
            Model = "glm-4.7",
            MaxTokens = 300,
            Messages = [new UserMessageParam { Content = text }],
        };

    private AnthropicClient Client(string path, bool asKey, bool validates = true) => new(new ClientOptions
    {
        BaseUrl = new Uri(server.Server.Addresses[0], path).ToString().TrimEnd('/'),
        ApiKey = asKey ? server.Key : null,
        AuthToken = asKey ? null : server.Key,
        MaxRetries = 0,
        ResponseValidation = validates,
    });
}
