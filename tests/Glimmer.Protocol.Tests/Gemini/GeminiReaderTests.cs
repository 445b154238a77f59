using System.Text;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Gemini;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Tests.Gemini;

public sealed class GeminiReaderTests
{
    private const string Hi = "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]";
    private const string Tools = "\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"},{\"name\":\"g\"}]}]";

    private static readonly string[] Seeds =
    [
        """{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"x"},{"inlineData":{"mimeType":"text/plain","data":"aGk="}}]},{"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":"Z2xpbW1lcjEuaG0="},{"functionCall":{"id":"1","name":"f","args":{"a":1}}}]},{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"output":"o"}}}]}]}""",
        """{"contents":{"parts":{"text":"x"}},"generation_config":{"temperature":0.5,"top_p":0.5,"topK":3,"maxOutputTokens":9,"stopSequences":["a"],"candidateCount":2,"seed":1,"presencePenalty":0.5,"responseLogprobs":true,"logprobs":2,"thinkingConfig":{"includeThoughts":true,"thinkingBudget":-1}}}""",
        """{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","nullable":true,"properties":{"a":{"type":"ARRAY","minItems":"1","items":{"type":"STRING","enum":["x"]}}},"propertyOrdering":["a"]}}}""",
        """{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"p":{"type":"STRING"}}}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"safetySettings":[{"category":"c","threshold":"t"}]}""",
        """{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"x"}]}]}}""",
        """{"requests":[{"model":"models/m","content":{"parts":[{"text":"x"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8}]}""",
        """{"content":{"parts":[{"text":"x"}]},"title":"t"}""",
    ];

    [Fact]
    public void A_conversation_is_read()
    {
        GeminiRequest request = Good("""
            {"system_instruction":{"parts":{"text":"Be brief"}},"contents":[
             {"role":"user","parts":[{"text":"a"},{"text":"b"}]},
             {"role":"model","parts":[{"text":"hm","thought":true}]},{"role":"model","parts":[{"text":"Re"}]},{"role":"model","parts":[{"text":"ading"},{"functionCall":{"name":"f","args":{"x":1}}},{"functionCall":{"id":"i","name":"f"}}]},
             {"role":"user","parts":[{"function_response":{"id":"i","name":"f","response":{"output":{"n":1}}}},{"functionResponse":{"name":"f","response":{"a":1,"b":2}}},{"text":"go on"}]},
             {"role":"model","parts":[{"executableCode":{"code":"1"}},{"text":"The"}]}]}
            """);
        ChatCompletionRequest chat = request.Chat;
        Assert.Equal((WireDialect.Gemini, "m", true, false), (chat.Dialect, chat.Model, chat.ContinueLast, request.IncludeThoughts));
        Assert.Equal(
            ["System:Be brief", "User:ab", "Assistant:Reading", "Tool:{\"n\":1}", "Tool:{\"a\":1,\"b\":2}", "User:go on", "Assistant:The"],
            chat.Messages.Select(message => $"{message.Role}:{string.Concat(message.Parts.Select(part => part.Value))}"));
        WireMessage said = chat.Messages[2];
        Assert.Equal("hm", said.ReasoningContent);
        Assert.Equal([("f", "{\"x\":1}"), ("f", "{}")], said.ToolCalls.Select(call => (call.Name, call.Arguments)));
        Assert.Equal(("i", said.ToolCalls[0].Id), (chat.Messages[3].ToolCallId, chat.Messages[4].ToolCallId));
    }

    [Fact]
    public void A_signature_brings_back_reasoning_that_was_left_out()
    {
        const string Thought = "I must ä世🌍 look";
        string signature = GeminiThought.Sign(Thought);
        Assert.Equal(Thought, GeminiThought.TryRead(signature));
        Assert.Equal(Thought, GeminiThought.TryRead(signature.TrimEnd('=').Replace('+', '-').Replace('/', '_')));
        foreach (string foreign in new[] { "", "skip_thought_signature_validator", "AAAA", "Z2xpbW1lcg==", "%" })
            Assert.Null(GeminiThought.TryRead(foreign));
        Assert.Equal(Thought, Reasoning($$"""{"functionCall":{"name":"f"},"thoughtSignature":"{{signature}}"}"""));
        Assert.Equal(Thought, Reasoning($$"""{"text":"x"},{"text":"","thoughtSignature":"{{signature}}"}"""));
        Assert.Equal("shown", Reasoning($$"""{"text":"shown","thought":true},{"text":"x","thoughtSignature":"{{signature}}"}"""));
        Assert.Null(Reasoning("""{"text":"x","thoughtSignature":"skip_thought_signature_validator"}"""));

        static string? Reasoning(string parts) => Good($$"""{"contents":[{"parts":[{"text":"a"}]},{"role":"model","parts":[{{parts}}]},{"parts":[{"text":"b"}]}]}""").Chat.Messages[1].ReasoningContent;
    }

    [Fact]
    public void A_configuration_is_read()
    {
        GeminiRequest request = Good($$$$$"""
            {{{{{{Hi}}}}},"generation_config":{"temperature":1.5,"topP":0,"top_k":40.0,"max_output_tokens":"99","stopSequences":["A","B"],"candidateCount":3,"seed":-7,"presencePenalty":1,"frequencyPenalty":-1,
             "responseLogprobs":true,"logprobs":4,"responseModalities":["TEXT"],"thinkingConfig":{"includeThoughts":true,"thinkingBudget":512,"thinkingLevel":"high"}},"safetySettings":[],"labels":{},"serviceTier":"x","store":true}
            """);
        ChatCompletionRequest chat = request.Chat;
        Assert.Equal((1.5, 0.01, 40, 99, 3, -7L), (chat.Temperature, chat.TopP, chat.TopK, chat.MaxTokens, chat.Choices, chat.Seed));
        Assert.Equal((1.0, -1.0, 4, true, 512, "high", true), (chat.PresencePenalty, chat.FrequencyPenalty, chat.TopLogProbs, chat.Thinking, chat.ThinkingBudget, chat.ReasoningEffort, request.IncludeThoughts));
        Assert.Equal(["A", "B"], chat.Stop);
        Assert.Equal("text", chat.ResponseFormat.Type);
        Assert.Null(Good($$"""{{{Hi}}}""").Chat.Thinking);
        Assert.Null(Config("\"thinkingConfig\":{\"thinkingBudget\":-1}").Thinking);
        Assert.False(Config("\"thinkingConfig\":{\"thinkingBudget\":0}").Thinking);
        Assert.Equal("minimal", Config("\"thinkingConfig\":{\"thinkingLevel\":\"MINIMAL\"}").ReasoningEffort);
        Assert.Equal(0, Config("\"responseLogprobs\":true").TopLogProbs);
    }

    [Fact]
    public void An_answer_may_have_a_form()
    {
        Assert.Equal("json_object", Config("\"responseMimeType\":\"application/json\"").ResponseFormat.Type);
        WireResponseFormat schema = Config("""
            "response_mime_type":"application/json","response_schema":{"type":"OBJECT","properties":{"b":{"type":"INTEGER","format":"int32","nullable":true},"a":{"type":"ARRAY","minItems":"1","maxItems":"3","items":{"type":"STRING","format":"enum","enum":["x","y"]},"example":[]},
             "c":{"any_of":[{"type":"NUMBER"},{"type":"BOOLEAN"}],"nullable":true},"d":{"type":"STRING","format":"date","nullable":true,"enum":["1"]}},"required":["a"],"propertyOrdering":["a","z","a"],"$defs":{"k":{"type":"NULL"}},"additionalProperties":false}
            """).ResponseFormat;
        Assert.Equal("json_schema", schema.Type);
        Assert.Equal(
            """{"type":"object","properties":{"a":{"type":"array","minItems":1,"maxItems":3,"items":{"type":"string","enum":["x","y"]}},"b":{"type":["integer","null"]},"c":{"anyOf":[{"type":"number"},{"type":"boolean"},{"type":"null"}]},"d":{"type":["string","null"],"format":"date","enum":["1",null]}},"required":["a"],"$defs":{"k":{"type":"null"}},"additionalProperties":false}""",
            schema.Schema!.Value.GetRawText());
        Assert.Equal("""{"type":"Odd"}""", Config("\"responseMimeType\":\"application/json\",\"responseJsonSchema\":{\"type\":\"Odd\"}").ResponseFormat.Schema!.Value.GetRawText());
        Assert.Equal("""{"type":"Odd"}""", Config("\"responseMimeType\":\"application/json\",\"_responseJsonSchema\":{\"type\":\"Odd\"}").ResponseFormat.Schema!.Value.GetRawText());
        WireResponseFormat one = Config("\"responseMimeType\":\"text/x.enum\",\"responseSchema\":{\"type\":\"STRING\",\"enum\":[\"good\",\"a+b\",\"ä\"]}").ResponseFormat;
        Assert.Equal(("regex", "good|a\\+b|ä"), (one.Type, one.Source));
    }

    [Fact]
    public void Functions_and_their_choice_are_read()
    {
        ChatCompletionRequest chat = Good($$$$$"""
            {{{{{{Hi}}}}},"tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"p":{"type":"STRING"}}}}]},{"function_declarations":{"name":"a.b:c","parametersJsonSchema":{"type":"object"},"response":{},"behavior":"BLOCKING"}}]}
            """).Chat;
        Assert.Equal(
            ["""{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"p":{"type":"string"}}}}}""", """{"type":"function","function":{"name":"a.b:c","parameters":{"type":"object"}}}"""],
            chat.Tools.Select(tool => tool.Json.GetRawText()));
        Assert.Equal(("auto", null), Choice("{}"));
        Assert.Equal(("auto", null), Choice("{\"mode\":\"VALIDATED\"}"));
        Assert.Equal(("none", null), Choice("{\"mode\":\"NONE\"}"));
        Assert.Equal(("required", null), Choice("{\"mode\":\"ANY\"}"));
        Assert.Equal(("function", "g"), Choice("{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"g\"]}"));
        Assert.Equal(("required", null), Choice("{\"mode\":\"ANY\",\"allowed_function_names\":[\"g\",\"f\"]}"));
        Assert.Equal(["g"], Good($$$$$"""{{{{{{Hi}}}}},{{{{{Tools}}}}},"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["g"]}}}""").Chat.Tools.Select(tool => tool.Name));

        static (string, string?) Choice(string calling)
        {
            WireToolChoice choice = Good($$$$$"""{{{{{{Hi}}}}},{{{{{Tools}}}}},"tool_config":{"functionCallingConfig":{{{{{calling}}}}}}}""").Chat.ToolChoice;
            return (choice.Mode, choice.Name);
        }
    }

    [Theory]
    [InlineData("""{}""", "contents")]
    [InlineData("""{"contents":[]}""", "contents")]
    [InlineData("""{"contents":"hi"}""", "contents")]
    [InlineData("""{"contents":[{"role":"model","parts":[{"text":"x"}]}]}""", "contents")]
    [InlineData("""{"contents":[{"role":"robot","parts":[{"text":"x"}]}]}""", "contents[0].role")]
    [InlineData("""{"contents":[{"parts":[]}]}""", "contents[0].parts")]
    [InlineData("""{"contents":[{"parts":[{}]}]}""", "contents[0].parts[0]")]
    [InlineData("""{"contents":[{"parts":[{"text":5}]}]}""", "contents[0].parts[0].text")]
    [InlineData("""{"contents":[{"parts":[{"txt":"x"}]}]}""", "contents[0].parts[0].txt")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}],"name":"n"}]}""", "contents[0].name")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"messages":[]}""", "messages")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"cachedContent":"cachedContents/1"}""", "cachedContent")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"systemInstruction":{"parts":[{"inlineData":{}}]}}""", "systemInstruction.parts[0]")]
    [InlineData("""{"contents":[{"parts":[{"inlineData":{"mimeType":"text/plain","data":"?"}}]}]}""", "contents[0].parts[0].inlineData.data")]
    [InlineData("""{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png"}}]}]}""", "contents[0].parts[0].inlineData.data")]
    [InlineData("""{"contents":[{"parts":[{"functionCall":{"name":"f"}}]}]}""", "contents[0].parts[0].functionCall")]
    [InlineData("""{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}""", "contents[0].parts[0].functionResponse")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"g","response":{}}}]}]}""", "contents[2].parts[0].functionResponse")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f","response":{}}},{"functionResponse":{"name":"f","response":{}}}]}]}""", "contents[2].parts[1].functionResponse")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":[]}}]}]}""", "contents[1].parts[0].functionCall.args")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"temperature":3}}""", "generationConfig.temperature")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"temperature":"hot"}}""", "generationConfig.temperature")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"max_tokens":3}}""", "generationConfig.max_tokens")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":0}}""", "generationConfig.maxOutputTokens")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"candidateCount":17}}""", "generationConfig.candidateCount")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"logprobs":3}}""", "generationConfig.logprobs")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseSchema":{"type":"OBJECT"}}}""", "generationConfig.responseSchema")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json","responseSchema":{},"responseJsonSchema":{}}}""", "generationConfig.responseJsonSchema")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"text/x.enum"}}""", "generationConfig._responseJsonSchema")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseModalities":["IMAGE"]}}""", "generationConfig.responseModalities")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":-2}}}""", "generationConfig.thinkingConfig.thinkingBudget")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingLevel":"much"}}}""", "generationConfig.thinkingConfig.thinkingLevel")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{"text":"y"}]}],"generationConfig":{"responseMimeType":"application/json"}}""", "contents")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"googleSearch":{}}]}""", "tools[0].googleSearch")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"code_execution":{}}]}""", "tools[0].code_execution")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"urlContext":{}}]}""", "tools[0].urlContext")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"a b"}]}]}""", "tools[0].functionDeclarations[0].name")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f"},{"name":"f"}]}]}""", "tools[0].functionDeclarations[1].name")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":{},"parametersJsonSchema":{}}]}]}""", "tools[0].functionDeclarations[0].parametersJsonSchema")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}""", "toolConfig.functionCallingConfig.mode")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}""", "toolConfig.functionCallingConfig.mode")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO","allowedFunctionNames":["f"]}}}""", "toolConfig.functionCallingConfig.allowedFunctionNames")]
    [InlineData("""{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["g"]}}}""", "toolConfig.functionCallingConfig.allowedFunctionNames")]
    public void What_cannot_be_names_its_field(string json, string field)
    {
        (GeminiRequest? request, PlatformError? error) = GeminiRequestReader.Read(Root(json), "m", stream: false);
        Assert.Null(request);
        Assert.Equal((field, 400), (error!.Field, error.Status));
    }

    [Fact]
    public void A_count_is_of_contents_or_of_a_whole_request()
    {
        Assert.Equal("System", GeminiRequestReader.ReadForCount(Root($$$$$"""{"generateContentRequest":{"model":"models/m",{{{{{Hi}}}}},"systemInstruction":{"parts":[{"text":"s"}]}}}"""), "m").Request!.Chat.Messages[0].Role.ToString());
        Assert.Single(GeminiRequestReader.ReadForCount(Root("""{"contents":[{"role":"model","parts":[{"text":"x"}]}]}"""), "m").Request!.Chat.Messages);
        Assert.Equal("generateContentRequest", GeminiRequestReader.ReadForCount(Root($$$$$"""{{{{{{Hi}}}}},"generateContentRequest":{{{{{{Hi}}}}}}}"""), "m").Error!.Field);
        Assert.Equal("generateContentRequest", GeminiRequestReader.ReadForCount(Root("""{"generateContentRequest":[]}"""), "m").Error!.Field);
    }

    [Fact]
    public void Texts_to_embed_are_read()
    {
        GeminiEmbedRequest one = GeminiEmbedReader.Read(Root("""{"model":"models/e","content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","output_dimensionality":4}"""), "e").Request!;
        Assert.Equal((4, "ab"), (one.Dimensions, Assert.Single(one.Texts)));
        Assert.Equal(["a", "b"], GeminiEmbedReader.ReadBatch(Root("""{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}"""), "e").Request!.Texts);
        foreach ((string json, string field) in new[]
        {
            ("""{"requests":[]}""", "requests"), ("""{}""", "requests"), ("""{"requests":[{"content":{"parts":[]}}]}""", "requests[0].content"), ("""{"requests":[{"model":"models/x","content":{"parts":[{"text":"a"}]}}]}""", "requests[0].model"),
            ("""{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"a"}]},"outputDimensionality":3}]}""", "requests[1].outputDimensionality"),
        })
        {
            Assert.Equal((json, field), (json, GeminiEmbedReader.ReadBatch(Root(json), "e").Error?.Field));
        }
    }

    /// <summary>Neither the number of calls and results nor that of properties may make the work grow faster than the body.</summary>
    [Fact]
    public void Long_histories_and_wide_schemas_are_read()
    {
        const int Many = 20_000;
        string calls = string.Join(',', Enumerable.Range(0, Many).Select(i => $$$$$"""{"functionCall":{"id":"c{{{{{i}}}}}","name":"f"}}"""));
        string results = string.Join(',', Enumerable.Range(0, Many).Select(i => $$$$$"""{"functionResponse":{"id":"c{{{{{Many - 1 - i}}}}}","response":{}}}"""));
        ChatCompletionRequest chat = Good($$$$$"""{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{{{{{calls}}}}}]},{"parts":[{{{{{results}}}}}]}]}""").Chat;
        Assert.Equal("c0", chat.Messages[^1].ToolCallId);
        string properties = string.Join(',', Enumerable.Range(0, Many).Select(i => $$$$$"""
            "p{{{{{i}}}}}":{}
            """)), order = string.Join(',', Enumerable.Range(0, Many).Select(i => $"\"p{Many - 1 - i}\""));
        JsonElement schema = GeminiSchema.ToJsonSchema(JsonDocument.Parse($$$$$"""{"type":"OBJECT","properties":{{{{{{properties}}}}}},"propertyOrdering":[{{{{{order}}}}}]}""").RootElement);
        Assert.Equal($"p{Many - 1}", schema.GetProperty("properties").EnumerateObject().First().Name);
    }

    [Fact]
    public void Mutated_bodies_give_a_request_or_an_error_and_never_an_exception()
    {
        string[] values = ["null", "1", "-1e308", "\"\"", "\"\\ud800\"", "[]", "{}", "[[]]", "true", "\"😀\"", "1e999", "\"\\u0000\"", "[null]", "[{}]"];
        var random = new Random(79);
        int count = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : 6000;
        int read = 0;
        for (int i = 0; i < count; i++)
        {
            var bytes = Encoding.UTF8.GetBytes(Seeds[random.Next(Seeds.Length)]).ToList();
            for (int change = random.Next(0, 4); change > 0; change--)
            {
                int at = random.Next(bytes.Count), colon = bytes.IndexOf((byte)':', at);
                switch (random.Next(4))
                {
                    case 0:
                        bytes[at] = (byte)random.Next(256);
                        break;
                    case 1 when colon > 0:
                        int end = bytes.FindIndex(colon, one => one is (byte)',' or (byte)'}' or (byte)']');
                        bytes.RemoveRange(colon + 1, end - colon - 1);
                        bytes.InsertRange(colon + 1, Encoding.UTF8.GetBytes(values[random.Next(values.Length)]));
                        break;
                    default:
                        bytes.RemoveRange(at, Math.Min(random.Next(1, 4), bytes.Count - at - 1));
                        break;
                }
            }

            foreach (Func<FieldReader, (object? Read, PlatformError? Error)> reader in new Func<FieldReader, (object?, PlatformError?)>[]
            {
                static body => GeminiRequestReader.Read(body, "m", stream: true), static body => GeminiRequestReader.ReadForCount(body, "m"),
                static body => GeminiEmbedReader.Read(body, "m"), static body => GeminiEmbedReader.ReadBatch(body, "m"),
            })
            {
                (JsonBody? body, _) = JsonBody.Parse(bytes.ToArray());
                if (body is null)
                    break;
                (object? made, PlatformError? error) = reader(body.Root);
                Assert.True(made is null != error is null);
                read += made is null ? 0 : 1;
                body.Dispose();
            }
        }

        Assert.True(read > 0);
    }

    private static ChatCompletionRequest Config(string members) => Good($$$$$"""{{{{{{Hi}}}}},"generationConfig":{{{{{{members}}}}}}}""").Chat;

    private static GeminiRequest Good(string json)
    {
        (GeminiRequest? request, PlatformError? error) = GeminiRequestReader.Read(Root(json), "m", stream: false);
        Assert.Null(error);
        return request!;
    }

    private static FieldReader Root(string json)
    {
        (JsonBody? body, PlatformError? error) = JsonBody.Parse(Encoding.UTF8.GetBytes(json));
        Assert.Null(error);
        return body!.Root;
    }
}
