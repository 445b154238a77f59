using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Inference.Script;

namespace Glimmer.Inference.Tests.Script;

/// <summary>Requests and scenarios for the tests of the script backend.</summary>
internal static class ScriptRequests
{
    public static ChatRequest Request(params ChatMessage[] messages) => new()
    {
        Model = "glm-4.7",
        Conversation = new Conversation(messages, [], new RenderOptions()),
        Sampling = new SamplingOptions(),
    };

    public static ChatRequest User(string text) => Request(ChatMessage.OfText(ChatRole.User, text));

    public static ChatRequest WithTools(this ChatRequest request, params string[] names) => request with
    {
        Conversation = request.Conversation with
        {
            Tools = [.. names.Select(name => new ToolDefinition(name, JsonDocument.Parse(
                """{"type":"function","function":{"name":"NAME","parameters":{"type":"object","properties":{"path":{"type":"string"},"lines":{"type":"array"},"deep":{"type":"boolean"}}}}}""".Replace("NAME", name, StringComparison.Ordinal)).RootElement))],
        },
    };

    public static ChatRequest Thinking(this ChatRequest request, bool? thinks) =>
        request with { Conversation = request.Conversation with { Options = new RenderOptions { EnableThinking = thinks } } };

    public static Scenario Scenario(string yaml) => ScenarioReader.Read(new StringReader(yaml), "test.yaml");

    public static ScriptChatBackend Backend(string yaml, ITokenizer tokenizer, TimeProvider? time = null) => new(Scenario(yaml), tokenizer, time ?? TimeProvider.System);

    public static async Task<(MessageBuilder Message, IChatAnswer Answer)> Ask(IChatBackend backend, ChatRequest request, CancellationToken cancel = default)
    {
        ChatStart start = await backend.StartAsync(request, default);
        Assert.Null(start.Error);
        MessageBuilder message = new();
        await foreach (ChatEvent said in start.Answer!.ReadAsync(cancel))
            message.Add(said);
        return (message, start.Answer);
    }
}
