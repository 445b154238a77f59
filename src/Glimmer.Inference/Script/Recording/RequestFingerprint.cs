using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Inference.Script;

/// <summary>
/// Says which requests are the same question: a digest of everything that can change the answer. Who asks, by which dialect, with which headers and whether
/// streamed does not; ids of tool calls count by the order in which they appear, since clients and servers make them up.
/// </summary>
public static class RequestFingerprint
{
    /// <summary>The digest: 64 hexadecimal digits.</summary>
    public static string Of(ChatRequest request)
    {
        ArrayBufferWriter<byte> buffer = new(4096);
        using (Utf8JsonWriter json = new(buffer))
            Write(json, request);
        return Convert.ToHexStringLower(SHA256.HashData(buffer.WrittenSpan));
    }

    /// <summary>The digest of a request for vectors.</summary>
    /// <param name="model">Code of the model.</param>
    /// <param name="texts">The texts, in their order.</param>
    /// <param name="dimensions">Numbers that were asked for; null for all.</param>
    public static string Of(string model, IReadOnlyList<string> texts, int? dimensions)
    {
        ArrayBufferWriter<byte> buffer = new(4096);
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartArray();
            json.WriteStringValue("glimmer-recorded-embedding-1");
            json.WriteStringValue(model.ToLowerInvariant());
            WriteNumber(json, dimensions);
            foreach (string text in texts)
                json.WriteStringValue(text);
            json.WriteEndArray();
        }

        return Convert.ToHexStringLower(SHA256.HashData(buffer.WrittenSpan));
    }

    private static void Write(Utf8JsonWriter json, ChatRequest request)
    {
        json.WriteStartArray();
        json.WriteStringValue("glimmer-recording-1");
        json.WriteStringValue(request.Model.ToLowerInvariant());
        Dictionary<string, int> calls = new(StringComparer.Ordinal);
        json.WriteStartArray();
        foreach (ChatMessage message in request.Conversation.Messages)
            Write(json, message, calls);
        json.WriteEndArray();
        json.WriteStartArray();
        foreach (ToolDefinition tool in request.Conversation.Tools)
        {
            json.WriteStringValue(tool.Name);
            Write(json, tool.Json);
        }

        json.WriteEndArray();
        RenderOptions options = request.Conversation.Options;
        json.WriteStringValue($"{options.EnableThinking} {options.ClearThinking} {options.ReasoningEffort} {options.AddGenerationPrompt} {options.ContinueFinalMessage}");
        Glimmer.Engine.SamplingOptions sampling = request.Sampling;
        json.WriteStartArray();
        json.WriteBooleanValue(sampling.Greedy);
        foreach (float number in (ReadOnlySpan<float>)[sampling.Temperature, sampling.TopP, sampling.MinP, sampling.RepetitionPenalty, sampling.PresencePenalty, sampling.FrequencyPenalty])
            json.WriteNumberValue(number);
        json.WriteNumberValue(sampling.TopK);
        foreach ((int token, float bias) in (sampling.LogitBias ?? new Dictionary<int, float>()).OrderBy(pair => pair.Key))
        {
            json.WriteNumberValue(token);
            json.WriteNumberValue(bias);
        }

        json.WriteStringValue(sampling.Seed?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        json.WriteEndArray();
        if (request.Raw is { } raw)
        {
            json.WriteStringValue(raw.Text);
            json.WriteStringValue(raw.Suffix);
            foreach (int token in raw.Tokens ?? [])
                json.WriteNumberValue(token);
        }

        WriteNumber(json, request.MaxTokens);
        WriteNumber(json, request.TopLogProbs);
        WriteNumber(json, request.ThinkingBudget);
        json.WriteStartArray();
        foreach (string stop in request.Stop)
            json.WriteStringValue(stop);
        json.WriteEndArray();
        json.WriteStringValue(request.ToolChoice.Mode.ToString());
        json.WriteStringValue(request.ToolChoice.Name);
        json.WriteBooleanValue(request.ParallelToolCalls);
        json.WriteStringValue(request.Format.Kind.ToString());
        json.WriteBooleanValue(request.Format.Strict);
        json.WriteStringValue(request.Format.Source);
        if (request.Format.Schema is { } schema)
            Write(json, schema);
        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, ChatMessage message, Dictionary<string, int> calls)
    {
        json.WriteStartArray();
        json.WriteStringValue(message.Role.ToString());
        foreach (ContentPart part in message.Content)
        {
            json.WriteStringValue(part.GetType().Name);
            json.WriteStringValue(part switch
            {
                TextPart text => text.Text,
                MediaPart media => $"{media.Kind} {media.Source}",
                ToolOutputPart output => output.Output,
                ToolReferencePart reference => reference.Name,
                _ => part.ToString(),
            });
        }

        json.WriteStringValue("reasoning");
        json.WriteStringValue(message.ReasoningContent);
        foreach (ToolCall call in message.ToolCalls)
        {
            json.WriteNumberValue(NumberOf(call.Id));
            json.WriteStringValue(call.Name);
            json.WriteStringValue(call.Arguments);
        }

        if (message.ToolCallId is { } id)
            json.WriteNumberValue(NumberOf(id));
        json.WriteEndArray();

        int NumberOf(string call)
        {
            if (!calls.TryGetValue(call, out int number))
                calls[call] = number = calls.Count;
            return number;
        }
    }

    private static void WriteNumber(Utf8JsonWriter json, int? number)
    {
        if (number is { } value)
            json.WriteNumberValue(value);
        else
            json.WriteNullValue();
    }

    /// <summary>Writes a value without regard to its spaces. One that no reader checked may be undefined.</summary>
    private static void Write(Utf8JsonWriter json, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Undefined)
            json.WriteNullValue();
        else
            value.WriteTo(json);
    }
}
