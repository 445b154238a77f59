using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay.Answers;
using Glimmer.Inference.Relay.Errors;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Relay;

/// <summary>Makes vectors with a service that has OpenAI's <c>POST /embeddings</c>. They are brought to length 1 where the service has not done so.</summary>
public sealed partial class RelayEmbeddingBackend : IEmbeddingBackend, IAsyncDisposable
{
    private const int MaxBytes = 256 << 20;
    private const int MaxDimensions = 1 << 16;
    private readonly BackendDefinition _definition;
    private readonly BackendModel _model;
    private readonly Upstream _upstream;
    private readonly Uri _address;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private int _bounded;
    private volatile int _dimensions;

    internal RelayEmbeddingBackend(BackendDefinition definition, BackendModel model, TimeProvider time, ILogger log)
    {
        if (definition.Kind == BackendKind.Anthropic)
            throw new ArgumentException($"The backend {definition.Name} is of the kind Anthropic, which makes no embeddings; leave out {model.Code}.", nameof(definition));
        _definition = definition;
        _model = model;
        _upstream = new Upstream(definition);
        _address = definition.Kind is BackendKind.OpenAI or BackendKind.Zai ? _upstream.For("embeddings") : _upstream.For("embeddings", "v1");
        _time = time;
        _log = log;
        _dimensions = model.Dimensions ?? 0;
    }

    /// <inheritdoc/>
    public string Name => _definition.Name;

    /// <inheritdoc/>
    public string Model => _model.Code;

    /// <summary>Numbers of a vector: what the definition says, else those of the first answer, 0 before it.</summary>
    public int Dimensions => _dimensions;

    /// <inheritdoc/>
    public async Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
    {
        if (dimensions < 1 || _dimensions > 0 && dimensions > _dimensions)
            return Wrong(PlatformError.Invalid("dimensions", string.Create(CultureInfo.InvariantCulture, $"{dimensions} is out of range"), $"{Model} makes vectors of {_dimensions} numbers; ask for fewer, or leave it out"));
        ArrayBufferWriter<byte> body = new(4096);
        Write(body, texts, dimensions);
        using AnswerWatch watch = new(_time, _definition.FirstTokenTimeout, _definition.StallTimeout, cancel);
        try
        {
            using HttpResponseMessage response = await _upstream.SendAsync(_address, body.WrittenMemory, "application/json", watch.Token);
            if (!response.IsSuccessStatusCode)
                return Refuse(UpstreamError.Read((int)response.StatusCode, await Upstream.ReadAsync(response, UpstreamError.MaxBytes, watch.Token)));
            byte[] answer = await Upstream.ReadAsync(response, MaxBytes, watch.Token);
            return Read(answer, texts, dimensions);
        }
        catch (UpstreamFaultException fault)
        {
            return Break(fault.Message, "the service behind it failed");
        }
        catch (Exception fault) when (fault is JsonException || fault is InvalidOperationException and not ObjectDisposedException)
        {
            return Break("it sent an answer that is not JSON", "the service behind it failed");
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or ObjectDisposedException || fault is OperationCanceledException && !cancel.IsCancellationRequested)
        {
            return Break(_upstream.Secrets.Quote(fault.Message), "the service behind it cannot be reached");
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _upstream.Dispose();
        return default;
    }

    private void Write(ArrayBufferWriter<byte> output, IReadOnlyList<string> texts, int? dimensions)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        json.WriteString("model"u8, _model.Name ?? _model.Code);
        json.WriteStartArray("input"u8);
        foreach (string text in texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
        json.WriteString("encoding_format"u8, "float"u8);
        if (dimensions is { } count)
            json.WriteNumber("dimensions"u8, count);
        json.WriteEndObject();
    }

    private EmbeddingOutcome Read(byte[] answer, IReadOnlyList<string> texts, int? dimensions)
    {
        float[][] vectors = new float[texts.Count][];
        int? tokens = null;
        Utf8JsonReader json = JsonTokens.Open(answer);
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
            throw JsonTokens.Wrong("answer", "an object");
        while (json.NextMember())
        {
            if (json.ValueTextEquals("data"u8) && json.EnterArray("data"))
            {
                for (int place = 0; json.NextObject("data"); place++)
                    ReadVector(ref json, vectors, place);
            }
            else if (json.TokenType == JsonTokenType.PropertyName && json.ValueTextEquals("usage"u8) && json.EnterObject("usage"))
            {
                while (json.NextMember())
                {
                    if (json.ValueTextEquals("prompt_tokens"u8))
                        tokens = json.CostOf("prompt_tokens") ?? tokens;
                    else
                        json.SkipValue();
                }
            }
            else if (json.TokenType == JsonTokenType.PropertyName)
            {
                json.SkipValue();
            }
        }

        int width = vectors.Length > 0 && vectors[0] is { } first ? first.Length : 0;
        if (width == 0 || Array.Exists(vectors, vector => vector is null || vector.Length != width) || dimensions is { } asked && width != asked)
            throw new UpstreamFaultException("its vectors are not those that were asked for");
        if (dimensions is null && _dimensions == 0)
            _dimensions = width;
        if (tokens is null)
        {
            tokens = texts.Sum(static text => TokenEstimate.OfBytes(TokenEstimate.Bytes(text)));
            Log.Estimated(_log, Name, Model, tokens.Value);
        }

        if (tokens > UsageBound.OfTexts(texts))
        {
            int most = UsageBound.OfTexts(texts);
            Log.Bounded(_log, Interlocked.Exchange(ref _bounded, 1) == 0 ? LogLevel.Warning : LogLevel.Debug, Name, Model, tokens.Value, most);
            tokens = most;
        }

        return new EmbeddingOutcome(vectors, tokens.Value, null);
    }

    private static void ReadVector(ref Utf8JsonReader json, float[][] vectors, int place)
    {
        List<float> numbers = [];
        while (json.NextMember())
        {
            if (json.ValueTextEquals("index"u8))
            {
                place = json.CountOf("index") ?? place;
            }
            else if (!json.ValueTextEquals("embedding"u8))
            {
                json.SkipValue();
            }
            else if (json.EnterArray("embedding"))
            {
                while (JsonTokens.Read(ref json) && json.TokenType != JsonTokenType.EndArray)
                    numbers.Add(json.TokenType == JsonTokenType.Number && numbers.Count < MaxDimensions && json.TryGetSingle(out float number) && float.IsFinite(number) ? number : throw JsonTokens.Wrong("embedding", "a list of numbers"));
            }
        }

        if (place >= vectors.Length || vectors[place] is not null)
            throw new UpstreamFaultException("its vectors are not those that were asked for");
        vectors[place] = Unit(numbers);
    }

    private static float[] Unit(List<float> values)
    {
        double square = 0;
        foreach (float value in values)
            square += (double)value * value;
        double scale = square > 0 ? 1 / Math.Sqrt(square) : 0;
        return [.. values.Select(value => (float)(value * scale))];
    }

    private EmbeddingOutcome Refuse(in UpstreamError said)
    {
        MappedError mapped = RelayErrors.Map(said, Model, _upstream.Secrets);
        string quote = _upstream.Secrets.Quote(said.Message);
        Log.Refused(_log, mapped.IsAccount ? LogLevel.Error : LogLevel.Warning, Name, Model, said.Status, _upstream.Secrets.Quote(said.Code), quote);
        return Wrong(mapped.Error);
    }

    private EmbeddingOutcome Break(string reason, string told)
    {
        Log.Broken(_log, Name, Model, reason);
        return Wrong(RelayErrors.Failed(Model, told));
    }

    private static EmbeddingOutcome Wrong(PlatformError error) => new(null, 0, error);

    private static partial class Log
    {
        [LoggerMessage(EventId = 6111, Message = "Backend {Backend}, embeddings of {Model}: refused with {Status} {Code}: {Quote}")]
        public static partial void Refused(ILogger log, LogLevel level, string backend, string model, int status, string code, string quote);

        [LoggerMessage(6112, LogLevel.Warning, "Backend {Backend}, embeddings of {Model}: failed: {Reason}")]
        public static partial void Broken(ILogger log, string backend, string model, string reason);

        [LoggerMessage(6113, LogLevel.Warning, "Backend {Backend}, embeddings of {Model}: the service counted no tokens; estimated {Tokens}")]
        public static partial void Estimated(ILogger log, string backend, string model, int tokens);

        [LoggerMessage(EventId = 6114, Message = "Backend {Backend}, embeddings of {Model}: the service told {Said} tokens, more than the texts can have; {Tokens} are charged")]
        public static partial void Bounded(ILogger log, LogLevel level, string backend, string model, int said, int tokens);
    }
}
