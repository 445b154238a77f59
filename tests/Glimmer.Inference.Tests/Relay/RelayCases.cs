using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>Definitions, requests and streams for the tests of the relay.</summary>
internal static class RelayCases
{
    public const string Key = "sk-secret-0123456789abcdef.QwErTy";

    public static BackendDefinition Define(Uri address, BackendKind kind = BackendKind.OpenAI, string path = "") => new()
    {
        Name = "up",
        Kind = kind,
        Url = new Uri(address, path),
        ApiKey = Key,
        ChatMode = true,
        ConnectTimeout = TimeSpan.FromMinutes(5),
        Models = [new BackendModel { Code = "glm-4.7", Name = "far-model" }],
    };

    public static ChatRequest Ask(string text = "Hi") => new()
    {
        Model = "glm-4.7",
        Conversation = new Conversation([ChatMessage.OfText(ChatRole.User, text)], [], new RenderOptions()),
        Sampling = new SamplingOptions(),
        Tenant = "tenant-1",
    };

    public static ChatRequest With(this ChatRequest request, Func<Conversation, Conversation> change) => request with { Conversation = change(request.Conversation) };

    public static ToolDefinition Tool(string name) => new(name, JsonDocument.Parse("""{"type":"function","function":{"name":"NAME","description":"d","parameters":{"type":"object"},"x-own":1}}""".Replace("NAME", name, StringComparison.Ordinal)).RootElement);

    /// <summary>A stream of chat completions from the JSON of its deltas.</summary>
    public static string Chunks(string finish, params string[] deltas)
    {
        StringBuilder text = new();
        foreach (string delta in deltas)
            text.Append("data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":").Append(delta).Append(",\"finish_reason\":null}]}\n\n");
        text.Append("data: {\"choices\":[{\"index\":0,\"finish_reason\":\"").Append(finish).Append("\",\"delta\":{}}]}\n\n");
        text.Append("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":7,\"total_tokens\":19,\"prompt_tokens_details\":{\"cached_tokens\":5},\"completion_tokens_details\":{\"reasoning_tokens\":2}}}\n\ndata: [DONE]\n\n");
        return text.ToString();
    }

    /// <summary>A stream of Anthropic's events from their JSON.</summary>
    public static string Events(params string[] events) =>
        string.Concat(events.Select(static json => $"event: {JsonDocument.Parse(json).RootElement.GetProperty("type").GetString()}\ndata: {json}\n\n"));

    public static async Task<Told> AskAsync(FakeUpstream upstream, ChatRequest request, BackendKind kind = BackendKind.OpenAI, LogLines? log = null, TimeProvider? time = null, Action? onEvent = null)
    {
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address, kind), time ?? TimeProvider.System, (ILoggerFactory?)log ?? new LogLines());
        return await AskAsync(backend, request, onEvent: onEvent);
    }

    public static async Task<Told> AskAsync(IChatBackend backend, ChatRequest request, Action? onEvent = null, CancellationToken cancel = default)
    {
        ChatStart start = await backend.StartAsync(request, default);
        if (start.Answer is not { } answer)
            return new Told([], null, start);
        List<ChatEvent> events = [];
        await foreach (ChatEvent said in answer.ReadAsync(cancel))
        {
            events.Add(said);
            onEvent?.Invoke();
        }

        return new Told(events, answer, start);
    }
}

/// <summary>What a relay told of an answer.</summary>
internal sealed record Told(List<ChatEvent> Events, IChatAnswer? Answer, ChatStart Start)
{
    public FinishReason Finish => Answer!.Finish;

    public MessageBuilder Message
    {
        get
        {
            MessageBuilder message = new();
            message.Add(Events);
            return message;
        }
    }

    /// <summary>The events on one line: <c>R:</c> reasoning, <c>C:</c> content, <c>0&lt;name</c>, <c>0:</c> arguments, <c>0&gt;</c> end, <c>0x</c> abandoned.</summary>
    public string Line => string.Join(' ', Events.Select(static said => said.Kind switch
    {
        ChatEventKind.Reasoning => $"R:{said.Text}",
        ChatEventKind.Content => $"C:{said.Text}",
        ChatEventKind.ToolCallStart => $"{said.ToolIndex}<{said.Text}",
        ChatEventKind.ToolCallArguments => $"{said.ToolIndex}:{said.Text}",
        ChatEventKind.ToolCallEnd => $"{said.ToolIndex}>",
        ChatEventKind.ToolCallAbandoned => $"{said.ToolIndex}x",
        _ => "?",
    }));
}

/// <summary>Keeps log lines.</summary>
internal sealed class LogLines : ILoggerFactory, ILogger
{
    public List<(LogLevel Level, int Id, string Text)> Lines { get; } = [];

    public string All => string.Join('\n', Lines.Select(static line => line.Text));

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public ILogger CreateLogger(string categoryName) => this;

    public void Dispose()
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (Lines)
            Lines.Add((logLevel, eventId.Id, formatter(state, exception) + exception));
    }
}
