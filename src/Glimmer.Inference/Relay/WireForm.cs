using System.Buffers;
using System.Text.Json;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay.Answers;
using Glimmer.Inference.Relay.Requests;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Relay;

/// <summary>How a service is spoken to: its addresses, its bodies, its events.</summary>
internal abstract class WireForm
{
    /// <summary>Where chats go.</summary>
    public required Uri ChatAddress { get; init; }

    /// <summary>Where the models are listed.</summary>
    public required Uri ModelsAddress { get; init; }

    /// <summary>Where prompts are counted; null for nowhere.</summary>
    public Uri? CountAddress { get; init; }

    /// <summary>Member of the count's answer that has the number, and the object that it stands in.</summary>
    public (string? Object, string Name) CountField { get; init; }

    /// <summary>The form of a definition's service.</summary>
    public static WireForm Of(BackendDefinition definition, Upstream upstream) => definition.Kind switch
    {
        BackendKind.Anthropic => new MessagesForm
        {
            ChatAddress = upstream.For("messages", "v1"),
            ModelsAddress = upstream.For("models", "v1"),
            CountAddress = upstream.For("messages/count_tokens", "v1"),
            CountField = (null, "input_tokens"),
        },
        BackendKind.OpenAI => new CompletionsForm(CompletionsFields.Of(definition))
        {
            ChatAddress = upstream.For("chat/completions"),
            ModelsAddress = upstream.For("models"),
        },
        BackendKind.Zai => new CompletionsForm(CompletionsFields.Of(definition))
        {
            ChatAddress = upstream.For("chat/completions"),
            ModelsAddress = upstream.For("models"),
            CountAddress = upstream.For("tokenizer"),
            CountField = ("usage", "prompt_tokens"),
        },
        _ => new CompletionsForm(CompletionsFields.Of(definition))
        {
            ChatAddress = upstream.For("chat/completions", "v1"),
            ModelsAddress = upstream.For("models", "v1"),
            CountAddress = definition.Kind == BackendKind.Vllm ? upstream.For("tokenize", "v1", beside: true) : null,
            CountField = (null, "count"),
        },
    };

    /// <summary>What the service cannot be asked for; null when it can be asked.</summary>
    public abstract PlatformError? Check(ChatRequest request);

    /// <summary>Writes a request for a streamed answer.</summary>
    public abstract void Write(IBufferWriter<byte> output, ChatRequest request, string model, in RelayIdentity identity);

    /// <summary>Writes a request for a count.</summary>
    public abstract void WriteForCount(IBufferWriter<byte> output, ChatRequest request, string model);

    /// <summary>A reader for an answer.</summary>
    public abstract AnswerReader ReaderOf(ChatRequest request);

    /// <summary>The count in an answer; null when there is none.</summary>
    public int? ReadCount(byte[] body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            JsonElement place = document.RootElement;
            if (CountField.Object is { } name && (place.ValueKind != JsonValueKind.Object || !place.TryGetProperty(name, out place)))
                return null;
            return place.ValueKind == JsonValueKind.Object && place.TryGetProperty(CountField.Name, out JsonElement count) && count.ValueKind == JsonValueKind.Number && count.TryGetInt32(out int tokens) && tokens >= 0 ? tokens : null;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private sealed class CompletionsForm(CompletionsFields fields) : WireForm
    {
        private readonly CompletionsBody _body = new(fields);

        public override PlatformError? Check(ChatRequest request) => _body.Check(request);

        public override void Write(IBufferWriter<byte> output, ChatRequest request, string model, in RelayIdentity identity) => _body.Write(output, request, model, identity);

        public override void WriteForCount(IBufferWriter<byte> output, ChatRequest request, string model) => _body.WriteForCount(output, request, model);

        public override AnswerReader ReaderOf(ChatRequest request) => new CompletionsReader(request);
    }

    private sealed class MessagesForm : WireForm
    {
        private readonly SignatureMemory _signatures = new();
        private readonly MessagesBody _body;

        public MessagesForm() => _body = new MessagesBody(_signatures);

        public override PlatformError? Check(ChatRequest request) => MessagesBody.Check(request);

        public override void Write(IBufferWriter<byte> output, ChatRequest request, string model, in RelayIdentity identity) => _body.Write(output, request, model, identity);

        public override void WriteForCount(IBufferWriter<byte> output, ChatRequest request, string model) => _body.WriteForCount(output, request, model);

        public override AnswerReader ReaderOf(ChatRequest request) => new MessagesReader(request, _signatures);
    }
}
