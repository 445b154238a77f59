using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Engine;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Inference.Relay.Requests;

/// <summary>Writes a request as the body of OpenAI's <c>POST /chat/completions</c>, with the additions that a service knows.</summary>
internal sealed class CompletionsBody(CompletionsFields fields)
{
    /// <summary>What the service cannot be asked for; null when it can be asked.</summary>
    public PlatformError? Check(ChatRequest request)
    {
        AnswerFormatKind format = request.Format.Kind;
        if (format == AnswerFormatKind.Regex && fields.Grammars is GrammarForm.None or GrammarForm.GrammarField)
            return RequestCheck.Unsupported(request, "response_format.type", "regex", "takes no regular expressions; send a JSON schema, or leave it out");
        if (format == AnswerFormatKind.Grammar && fields.Grammars == GrammarForm.None)
            return RequestCheck.Unsupported(request, "response_format.type", "grammar", "takes no grammars; send a JSON schema, or leave it out");
        if (request.Conversation.Options.ContinueFinalMessage && fields.Continuation == ContinuationForm.None)
            return RequestCheck.Unsupported(request, "messages", "continuation", "does not go on with a message of the assistant; end with a message of the user");
        return RequestCheck.Stops(request, fields.MaxStops) ?? RequestCheck.Media(request, kind => kind != MediaKind.Video || fields.Videos);
    }

    /// <summary>Writes a request for a streamed answer.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="model">The service's name of the model.</param>
    /// <param name="identity">Ids of the request and of who asks, for services that take them.</param>
    public void Write(IBufferWriter<byte> output, ChatRequest request, string model, in RelayIdentity identity)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        WriteConversation(json, request, model);
        json.WriteBoolean("stream"u8, true);
        if (fields.UsageOption)
        {
            json.WriteStartObject("stream_options"u8);
            json.WriteBoolean("include_usage"u8, true);
            json.WriteEndObject();
        }

        if (request.MaxTokens is { } limit)
            json.WriteNumber(fields.MaxTokens, limit);
        WriteSampling(json, request);
        WriteStops(json, request.Stop);
        WriteFormat(json, request.Format);
        if (request.TopLogProbs is { } top)
        {
            json.WriteBoolean("logprobs"u8, true);
            json.WriteNumber("top_logprobs"u8, top);
        }

        if (fields.Native)
        {
            json.WriteString("request_id"u8, identity.RequestId);
            if (identity.UserId is { } user)
                json.WriteString("user_id"u8, user);
        }

        json.WriteEndObject();
    }

    /// <summary>Writes a request for a count of the prompt's tokens: what shapes the prompt and nothing else.</summary>
    public void WriteForCount(IBufferWriter<byte> output, ChatRequest request, string model)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        WriteConversation(json, request, model);
        json.WriteEndObject();
    }

    private void WriteConversation(Utf8JsonWriter json, ChatRequest request, string model)
    {
        json.WriteString("model"u8, model);
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        string?[] results = CallIds.OfResults(messages);
        json.WriteStartArray("messages"u8);
        for (int i = 0; i < messages.Count; i++)
            WriteMessage(json, messages[i], results[i]);
        json.WriteEndArray();
        WriteTools(json, request);
        WriteThinking(json, request);
        if (request.Conversation.Options.ContinueFinalMessage && fields.Continuation == ContinuationForm.Field)
        {
            json.WriteBoolean("continue_final_message"u8, true);
            json.WriteBoolean("add_generation_prompt"u8, false);
        }
    }

    private void WriteMessage(Utf8JsonWriter json, ChatMessage message, string? answers)
    {
        json.WriteStartObject();
        json.WriteString("role"u8, message.Role switch
        {
            ChatRole.System => "system"u8,
            ChatRole.User => "user"u8,
            ChatRole.Assistant => "assistant"u8,
            _ => "tool"u8,
        });
        json.WritePropertyName("content"u8);
        WriteContent(json, message);
        if (message.Role == ChatRole.Assistant && fields.EarlierReasoning && message.ReasoningContent is { } reasoning)
            json.WriteString("reasoning_content"u8, reasoning);
        if (message.ToolCalls.Count > 0)
        {
            json.WriteStartArray("tool_calls"u8);
            foreach (ToolCall call in message.ToolCalls)
            {
                json.WriteStartObject();
                json.WriteString("id"u8, IdOf(call.Id));
                json.WriteString("type"u8, "function"u8);
                json.WriteStartObject("function"u8);
                json.WriteString("name"u8, call.Name);
                json.WriteString("arguments"u8, call.Arguments);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        if (answers is not null)
            json.WriteString("tool_call_id"u8, IdOf(answers));
        json.WriteEndObject();
    }

    private string IdOf(string id) => fields.Native ? id : CallIds.Of(id);

    /// <summary>
    /// A user's message of one text, and every message of texts alone of another role, is a string: many services take lists from users only.
    /// </summary>
    private void WriteContent(Utf8JsonWriter json, ChatMessage message)
    {
        IReadOnlyList<ContentPart> parts = message.Content;
        if (parts.Count == 0 && message.ToolCalls.Count > 0 && fields.NullContent)
        {
            json.WriteNullValue();
            return;
        }

        bool texts = parts.All(static part => part is TextPart);
        if (texts && (parts.Count <= 1 || message.Role != ChatRole.User))
        {
            json.WriteStringValue(parts.Count == 1 ? ((TextPart)parts[0]).Text : string.Concat(parts.Select(static part => ((TextPart)part).Text)));
            return;
        }

        json.WriteStartArray();
        foreach (ContentPart part in parts)
            WritePart(json, part);
        json.WriteEndArray();
    }

    private void WritePart(Utf8JsonWriter json, ContentPart part)
    {
        json.WriteStartObject();
        switch (part)
        {
            case MediaPart { Kind: MediaKind.Audio } sound:
                json.WriteString("type"u8, "input_audio"u8);
                json.WriteStartObject("input_audio"u8);
                json.WriteString("data"u8, sound.Source);
                json.WriteString("format"u8, MediaText.SoundFormat(sound.Source));
                json.WriteEndObject();
                break;
            case MediaPart media:
                string name = media.Kind == MediaKind.Image ? "image_url" : "video_url";
                json.WriteString("type"u8, name);
                json.WriteStartObject(name);
                json.WriteString("url"u8, media.Kind == MediaKind.Image ? PictureOf(media.Source) : media.Source);
                json.WriteEndObject();
                break;
            case ToolOutputPart output when fields.ToolsAsWritten:
                json.WriteString("output"u8, output.Output);
                break;
            case ToolReferencePart reference when fields.ToolsAsWritten:
                json.WriteString("type"u8, "tool_reference"u8);
                json.WriteString("name"u8, reference.Name);
                break;
            default:
                json.WriteString("type"u8, "text"u8);
                json.WriteString("text"u8, part switch
                {
                    TextPart text => text.Text,
                    ToolOutputPart output => output.Output,
                    ToolReferencePart reference => reference.Name,
                    _ => throw new InvalidOperationException($"No form for {part.GetType().Name}."),
                });
                break;
        }

        json.WriteEndObject();
    }

    private string PictureOf(string source)
    {
        if (fields.BareBase64 || MediaText.IsAddress(source) || MediaText.IsDataUri(source))
            return source;
        (string type, string data) = MediaText.Picture(source);
        return $"data:{type};base64,{data}";
    }

    private void WriteTools(Utf8JsonWriter json, ChatRequest request)
    {
        if (request.Conversation.Tools.Count == 0 || request.ToolChoice.Mode == ToolChoiceMode.None)
            return;
        json.WriteStartArray("tools"u8);
        foreach (ToolDefinition tool in request.Conversation.Tools)
            ToolText.WriteWrapped(json, tool, fields.ToolsAsWritten);
        json.WriteEndArray();
        switch (request.ToolChoice.Mode)
        {
            case ToolChoiceMode.Required:
                json.WriteString("tool_choice"u8, "required"u8);
                break;
            case ToolChoiceMode.Named:
                json.WriteStartObject("tool_choice"u8);
                json.WriteString("type"u8, "function"u8);
                json.WriteStartObject("function"u8);
                json.WriteString("name"u8, request.ToolChoice.Name);
                json.WriteEndObject();
                json.WriteEndObject();
                break;
            default:
                break; // every service's default
        }

        if (!request.ParallelToolCalls)
            json.WriteBoolean("parallel_tool_calls"u8, false);
        if (fields.Native)
            json.WriteBoolean("tool_stream"u8, true);
    }

    private void WriteThinking(Utf8JsonWriter json, ChatRequest request)
    {
        RenderOptions options = request.Conversation.Options;
        if (fields.LargestEffort is { } largest && options.ReasoningEffort is { } effort)
            json.WriteString("reasoning_effort"u8, effort is "max" or "xhigh" ? largest : effort);
        if (fields.Thinking == ThinkingForm.Native && (options.EnableThinking ?? options.ClearThinking) is not null)
        {
            json.WriteStartObject("thinking"u8);
            if (options.EnableThinking is { } thinks)
                json.WriteString("type"u8, thinks ? "enabled"u8 : "disabled"u8);
            if (options.ClearThinking is { } clears)
                json.WriteBoolean("clear_thinking"u8, clears);
            if (options.EnableThinking != false && request.ThinkingBudget is { } budget)
                json.WriteNumber("budget_tokens"u8, budget);
            json.WriteEndObject();
        }
        else if (fields.Thinking == ThinkingForm.TemplateArguments && (options.EnableThinking is not null || options.ClearThinking is not null || options.ReasoningEffort is not null))
        {
            json.WriteStartObject("chat_template_kwargs"u8);
            if (options.EnableThinking is { } thinks)
                json.WriteBoolean("enable_thinking"u8, thinks);
            if (options.ClearThinking is { } clears)
                json.WriteBoolean("clear_thinking"u8, clears);
            if (options.ReasoningEffort is { } level)
                json.WriteString("reasoning_effort"u8, level);
            json.WriteEndObject();
        }
    }

    /// <summary>Writes what differs from the default of every service. Engines have defaults of their own (the model's file, llama-server's own table), so they are told everything.</summary>
    private void WriteSampling(Utf8JsonWriter json, ChatRequest request)
    {
        SamplingOptions sampling = request.Sampling;
        bool greedy = sampling.Greedy || sampling.Temperature <= 0;

        // The platform's defaults differ by model, and nobody knows an engine's: nothing equals NaN.
        float ordinary = fields.Native || fields.OwnDefaults ? float.NaN : 1;
        if (greedy && fields.Native)
            json.WriteBoolean("do_sample"u8, false);
        else if (greedy)
            json.WriteNumber("temperature"u8, 0);
        else
            WriteNonDefault(json, "temperature", Math.Min(sampling.Temperature, fields.MaxTemperature), ordinary);
        if (!greedy)
        {
            WriteNonDefault(json, "top_p", sampling.TopP, ordinary);
            if (fields.MoreSampling && sampling.TopK > 0)
                json.WriteNumber("top_k"u8, sampling.TopK);
            else if (fields.OwnDefaults)
                json.WriteNumber("top_k"u8, fields.TopKOff);
            if (fields.MoreSampling)
                WriteNonDefault(json, "min_p", sampling.MinP, fields.OwnDefaults ? float.NaN : 0);
        }

        if (fields.RepetitionPenalty is { } name)
            WriteNonDefault(json, name, sampling.RepetitionPenalty, fields.OwnDefaults ? float.NaN : 1);
        float none = fields.OwnDefaults ? float.NaN : 0;
        WriteNonDefault(json, "presence_penalty", sampling.PresencePenalty, none);
        WriteNonDefault(json, "frequency_penalty", sampling.FrequencyPenalty, none);
        if (sampling.Seed is { } seed)
            json.WriteNumber("seed"u8, unchecked((long)seed));
        if (sampling.LogitBias is { Count: > 0 } biases)
        {
            json.WriteStartObject("logit_bias"u8);
            foreach ((int token, float bias) in biases)
                json.WriteNumber(token.ToString(CultureInfo.InvariantCulture), bias);
            json.WriteEndObject();
        }
    }

    private static void WriteNonDefault(Utf8JsonWriter json, string name, float value, float ordinary)
    {
        if (value != ordinary)
            json.WriteNumber(name, value);
    }

    private static void WriteStops(Utf8JsonWriter json, IReadOnlyList<string> stops)
    {
        if (stops.Count == 0)
            return;
        json.WriteStartArray("stop"u8);
        foreach (string stop in stops)
            json.WriteStringValue(stop);
        json.WriteEndArray();
    }

    private void WriteFormat(Utf8JsonWriter json, AnswerFormat format)
    {
        switch (format.Kind)
        {
            case AnswerFormatKind.JsonObject:
                json.WriteStartObject("response_format"u8);
                json.WriteString("type"u8, "json_object"u8);
                json.WriteEndObject();
                break;
            case AnswerFormatKind.JsonSchema when format.Schema is { } schema:
                json.WriteStartObject("response_format"u8);
                json.WriteString("type"u8, "json_schema"u8);
                json.WriteStartObject("json_schema"u8);
                json.WriteString("name"u8, "answer"u8);
                json.WritePropertyName("schema"u8);
                schema.WriteTo(json);
                if (format.Strict)
                    json.WriteBoolean("strict"u8, true);
                json.WriteEndObject();
                json.WriteEndObject();
                break;
            case AnswerFormatKind.Regex or AnswerFormatKind.Grammar:
                WriteGrammar(json, format.Kind == AnswerFormatKind.Regex, format.Source ?? "");
                break;
            default:
                break;
        }
    }

    private void WriteGrammar(Utf8JsonWriter json, bool regex, string source)
    {
        string name = regex ? "regex" : "grammar";
        switch (fields.Grammars)
        {
            case GrammarForm.ResponseFormat:
                json.WriteStartObject("response_format"u8);
                json.WriteString("type"u8, name);
                json.WriteString(name, source);
                json.WriteEndObject();
                break;
            case GrammarForm.StructuredOutputs:
                json.WriteStartObject("structured_outputs"u8);
                json.WriteString(name, source);
                json.WriteEndObject();
                break;
            case GrammarForm.Fields:
                json.WriteString(regex ? "regex" : "ebnf", source);
                break;
            default:
                json.WriteString("grammar"u8, source);
                break;
        }
    }
}
