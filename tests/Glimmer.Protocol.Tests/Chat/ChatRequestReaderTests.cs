using System.Text;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Tests.Chat;

public sealed class ChatRequestReaderTests
{
    private const string User = """ "messages":[{"role":"user","content":"hi"}] """;

    [Fact]
    public void The_python_client_sends_nulls_and_clamped_numbers()
    {
        ChatCompletionRequest request = Good("""
            {"model":"GLM-4.7","request_id":1749187238.25,"temperature":0.99,"top_p":0.99,"do_sample":false,"max_tokens":null,
             "stream":"True","stop":"END","response_format":null,"thinking":null,"tools":null,"tool_choice":"auto","meta":null,
             "sensitive_word_check":null,"user_id":null,"unknown":{"x":1},"messages":[{"role":"user","content":"hi"}]}
            """);
        Assert.Equal("GLM-4.7", request.Model);
        Assert.Equal("1749187238.25", request.RequestId);
        Assert.Equal(0.99, request.Temperature);
        Assert.False(request.DoSample);
        Assert.True(request.Stream);
        Assert.Equal(["END"], request.Stop);
        Assert.Null(request.Thinking);
    }

    [Theory]
    [InlineData("\"enable_thinking\":false", false)]
    [InlineData("\"enable_thinking\":true", true)]
    [InlineData("\"chat_template_kwargs\":{\"enable_thinking\":false}", false)]
    [InlineData("\"enable_thinking\":true,\"chat_template_kwargs\":{\"enable_thinking\":false}", true)]
    [InlineData("\"thinking\":{\"type\":\"enabled\"},\"enable_thinking\":false", true)]
    [InlineData("\"thinking\":{\"clear_thinking\":false},\"enable_thinking\":false", false)]
    [InlineData("\"thinking\":null,\"enable_thinking\":\"no\"", null)]
    [InlineData("\"enable_thinking\":null,\"chat_template_kwargs\":[false]", null)]
    public void Tools_for_servers_of_open_weights_switch_thinking_by_the_templates_variable(string fields, bool? thinks) =>
        Assert.Equal(thinks, Good($$$"""{"model":"m",{{{fields}}},{{{User}}}}""").Thinking);

    [Fact]
    public void The_java_client_sends_arguments_as_an_object()
    {
        ChatCompletionRequest request = Good("""
            {"model":"m","messages":[{"role":"user","content":"w?"},
             {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":{"a": 1}}}]},
             {"role":"tool","content":"sunny","tool_call_id":"c1"},{"role":"function","content":"warm"}]}
            """);
        Assert.Equal("""{"a": 1}""", Assert.Single(request.Messages[1].ToolCalls).Arguments);
        Assert.Equal("hm", request.Messages[1].ReasoningContent);
        Assert.Equal("c1", request.Messages[2].ToolCallId);
        Assert.Equal(WireRole.Tool, request.Messages[3].Role);
    }

    [Fact]
    public void The_openai_client_may_send_its_own_spellings()
    {
        ChatCompletionRequest request = Good("""
            {"model":"m","max_completion_tokens":"64","max_tokens":100,"temperature":1.7,"n":1,"user":"u","frequency_penalty":0,
             "stream_options":{"include_usage":true},"parallel_tool_calls":false,"seed":-3,
             "tools":[{"function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}},
             "response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}},
             "messages":[{"role":"developer","content":"be brief"},{"role":"user","content":[{"type":"text","text":"hi"}]}]}
            """);
        Assert.Equal(64, request.MaxTokens);
        Assert.Equal(1, request.Temperature);
        Assert.Equal(-3, request.Seed);
        Assert.False(request.ParallelToolCalls);
        Assert.Equal(WireRole.System, request.Messages[0].Role);
        Assert.Equal("""{"type":"function","function":{"name":"f"}}""", Assert.Single(request.Tools).Json.GetRawText());
        Assert.Equal(("function", "f"), (request.ToolChoice.Mode, request.ToolChoice.Name));
        Assert.True(request.ResponseFormat.Strict);
    }

    [Fact]
    public void A_search_that_is_switched_off_is_not_asked_for()
    {
        Assert.Empty(Good($$$$"""{"model":"m",{{{{User}}}},"tools":[{"type":"web_search","web_search":{"enable":"False"}}]}""").Tools);
        Assert.Single(Good($$$$"""{"model":"m",{{{{User}}}},"tools":[{"type":"web_search","web_search":{"search_query":"x"}}]}""").Tools);
    }

    public static TheoryData<string, int, string> BadBodies => new()
    {
        { "{" + User + "}", 1213, "model" },
        { $$$$"""{"model":"",{{{{User}}}}}""", 1214, "model" },
        { $$$$"""{"model":5,{{{{User}}}}}""", 1214, "model" },
        { """{"model":"m"}""", 1213, "messages" },
        { """{"model":"m","messages":"hi"}""", 1214, "messages" },
        { """{"model":"m","messages":[]}""", 1214, "messages" },
        { """{"model":"m","messages":["hi"]}""", 1214, "messages[0]" },
        { """{"model":"m","messages":[{"content":"x"}]}""", 1213, "messages[0].role" },
        { """{"model":"m","messages":[{"role":"robot","content":"x"}]}""", 1214, "messages[0].role" },
        { """{"model":"m","messages":[{"role":"user"}]}""", 1213, "messages[0].content" },
        { """{"model":"m","messages":[{"role":"user","content":7}]}""", 1214, "messages[0].content" },
        { """{"model":"m","messages":[{"role":"user","content":""}]}""", 1214, "messages" },
        { """{"model":"m","messages":[{"role":"system","content":"x"}]}""", 1214, "messages" },
        { """{"model":"m","messages":[{"role":"assistant","content":"x"}]}""", 1214, "messages" },
        { """{"model":"m","messages":[{"role":"user","content":"x"},{"role":"tool","content":"y"}]}""", 1214, "messages[1].role" },
        { """{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}""", 1213, "messages[0].content[0].text" },
        { """{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}""", 1213, "messages[0].content[0].type" },
        { """{"model":"m","messages":[{"role":"user","content":[{"type":"smell"}]}]}""", 1214, "messages[0].content[0].type" },
        { """{"model":"m","messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}""", 1214, "messages[0].content[0].type" },
        { """{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}""", 1213, "messages[0].content[0].image_url.url" },
        { """{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"function":{}}]}]}""", 1213, "messages[1].tool_calls[0].function.name" },
        { """{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{oops"}}]}]}""", 1214, "messages[1].tool_calls[0].function.arguments" },
        { """{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"[1]"}}]}]}""", 1214, "messages[1].tool_calls[0].function.arguments" },
        { $$$$"""{"model":"m",{{{{User}}}},"temperature":2.01}""", 1214, "temperature" },
        { $$$$"""{"model":"m",{{{{User}}}},"temperature":-0.1}""", 1214, "temperature" },
        { $$$$"""{"model":"m",{{{{User}}}},"temperature":"warm"}""", 1214, "temperature" },
        { $$$$"""{"model":"m",{{{{User}}}},"top_p":1.1}""", 1214, "top_p" },
        { $$$$"""{"model":"m",{{{{User}}}},"max_tokens":0}""", 1214, "max_tokens" },
        { $$$$"""{"model":"m",{{{{User}}}},"max_tokens":131073}""", 1214, "max_tokens" },
        { $$$$"""{"model":"m",{{{{User}}}},"max_tokens":1.5}""", 1214, "max_tokens" },
        { $$$$"""{"model":"m",{{{{User}}}},"max_completion_tokens":-1}""", 1214, "max_completion_tokens" },
        { $$$$"""{"model":"m",{{{{User}}}},"seed":"x"}""", 1214, "seed" },
        { $$$$"""{"model":"m",{{{{User}}}},"stop":["a","b","c","d","e"]}""", 1214, "stop" },
        { $$$$"""{"model":"m",{{{{User}}}},"stop":["a",""]}""", 1214, "stop[1]" },
        { $$$$"""{"model":"m",{{{{User}}}},"stop":{}}""", 1214, "stop" },
        { $$$$"""{"model":"m",{{{{User}}}},"stream":"maybe"}""", 1214, "stream" },
        { $$$$"""{"model":"m",{{{{User}}}},"do_sample":2}""", 1214, "do_sample" },
        { $$$$"""{"model":"m",{{{{User}}}},"thinking":"enabled"}""", 1214, "thinking" },
        { $$$$"""{"model":"m",{{{{User}}}},"thinking":{"type":"on"}}""", 1214, "thinking.type" },
        { $$$$"""{"model":"m",{{{{User}}}},"thinking":{"clear_thinking":"?"}}""", 1214, "thinking.clear_thinking" },
        { $$$$"""{"model":"m",{{{{User}}}},"reasoning_effort":"huge"}""", 1214, "reasoning_effort" },
        { $$$$"""{"model":"m",{{{{User}}}},"request_id":"five5"}""", 1214, "request_id" },
        { $$$$"""{"model":"m",{{{{User}}}},"request_id":"{{{{new string('r', 65)}}}}"}""", 1214, "request_id" },
        { $$$$"""{"model":"m",{{{{User}}}},"user_id":"u"}""", 1214, "user_id" },
        { $$$$"""{"model":"m",{{{{User}}}},"tools":{}}""", 1214, "tools" },
        { $$$$"""{"model":"m",{{{{User}}}},"tools":[{"type":"hammer"}]}""", 1214, "tools[0].type" },
        { $$$$"""{"model":"m",{{{{User}}}},"tools":[{"type":"function"}]}""", 1213, "tools[0].function" },
        { $$$$"""{"model":"m",{{{{User}}}},"tools":[{"type":"function","function":{}}]}""", 1213, "tools[0].function.name" },
        { $$$$"""{"model":"m",{{{{User}}}},"tools":[{"type":"function","function":{"name":"a b"}}]}""", 1214, "tools[0].function.name" },
        { $$$$"""{"model":"m",{{{{User}}}},"tools":[{"type":"function","function":{"name":"{{{{new string('n', 65)}}}}"}}]}""", 1214, "tools[0].function.name" },
        { $$$$"""{"model":"m",{{{{User}}}},"tools":[{"function":{"name":"f"}},{"function":{"name":"f"}}]}""", 1214, "tools[1].function.name" },
        { $$$$"""{"model":"m",{{{{User}}}},"tools":[{"function":{"name":"f","parameters":[]}}]}""", 1214, "tools[0].function.parameters" },
        { $$$$"""{"model":"m",{{{{User}}}},"tools":[{"function":{"name":"f","parameters":{"type":"string"}}}]}""", 1214, "tools[0].function.parameters.type" },
        { $$$$"""{"model":"m",{{{{User}}}},"tool_choice":"sometimes"}""", 1214, "tool_choice" },
        { $$$$"""{"model":"m",{{{{User}}}},"tool_choice":"required"}""", 1214, "tool_choice" },
        { $$$$"""{"model":"m",{{{{User}}}},"tool_choice":{"type":"function","function":{"name":"g"}}}""", 1214, "tool_choice.function.name" },
        { $$$$"""{"model":"m",{{{{User}}}},"response_format":{}}""", 1213, "response_format.type" },
        { $$$$"""{"model":"m",{{{{User}}}},"response_format":{"type":"xml"}}""", 1214, "response_format.type" },
        { $$$$"""{"model":"m",{{{{User}}}},"response_format":{"type":"regex"}}""", 1213, "response_format.regex" },
        { $$$$"""{"model":"m",{{{{User}}}},"response_format":{"type":"regex","regex":7}}""", 1214, "response_format.regex" },
        { $$$$"""{"model":"m",{{{{User}}}},"response_format":{"type":"grammar","grammar":""}}""", 1214, "response_format.grammar" },
        { $$$$"""{"model":"m",{{{{User}}}},"thinking":{"type":"enabled","budget_tokens":-1}}""", 1214, "thinking.budget_tokens" },
        { $$$$"""{"model":"m",{{{{User}}}},"response_format":{"type":"json_schema"}}""", 1213, "response_format.json_schema" },
        { $$$$"""{"model":"m",{{{{User}}}},"response_format":{"type":"json_schema","json_schema":{}}}""", 1213, "response_format.json_schema.schema" },
        { $$$$"""{"model":"m",{{{{User}}}},"sensitive_word_check":{"status":"OFF"}}""", 1214, "sensitive_word_check.status" },
        { $$$$"""{"model":"m",{{{{User}}}},"extra":{"target":{"language":"c"}}}""", 1213, "extra.target.code_prefix" },
        { $$$$"""{"model":"m",{{{{User}}}},"meta":"x"}""", 1214, "meta" },
        { $$$$"""{"model":"m",{{{{User}}}},"watermark_enabled":"x"}""", 1214, "watermark_enabled" },
        { $$$$"""{"model":"m",{{{{User}}}},"stream_options":{"include_usage":3}}""", 1214, "stream_options.include_usage" },
    };

    [Theory]
    [MemberData(nameof(BadBodies))]
    public void A_bad_field_is_named(string json, int code, string field)
    {
        (ChatCompletionRequest? request, PlatformError? error) = Read(json);
        Assert.Null(request);
        Assert.Equal(((BusinessCode)code, field), (error!.Code, error.Field));
        Assert.Contains(field, error.Message);
        Assert.Equal(400, error.Status);
        Assert.Contains(field, error.MessageIn(MessageLanguage.Chinese));
    }

    [Theory]
    [InlineData("""{"model":"m","messages":[{"content":"hi"}]}""", "messages[0].role", "system, developer, user")]
    [InlineData("""{"model":"m","messages":[{"role":null,"content":"hi"}]}""", "messages[0].role", "system, developer, user")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hi"}],"response_format":{}}""", "response_format.type", "text, json_object, json_schema")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":{}}""", "tools", "not a list")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"x","tool_calls":{}}]}""", "messages[1].tool_calls", "not a list")]
    public void An_error_tells_the_words_that_would_do(string body, string field, string told)
    {
        PlatformError error = Read(body).Error!;
        Assert.Equal(field, error.Field);
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_hundred_and_twenty_eight_functions_are_the_most()
    {
        string Tools(int count) => string.Join(',', Enumerable.Range(0, count).Select(i => $$$$"""{"type":"function","function":{"name":"f{{{{i}}}}"}}"""));
        Assert.Equal(128, Good($$$$"""{"model":"m",{{{{User}}}},"tools":[{{{{Tools(128)}}}}]}""").Tools.Count);
        Assert.Equal("tools", Read($$$$"""{"model":"m",{{{{User}}}},"tools":[{{{{Tools(129)}}}}]}""").Error!.Field);
    }

    [Fact]
    public void Mutated_bodies_give_a_request_or_an_error_and_never_an_exception()
    {
        string[] seeds = [.. BadBodies.Select(row => row.Data.Item1), $$$$"""{"model":"m",{{{{User}}}},"stop":["a"],"meta":{"bot_name":"b"}}"""];
        string[] values = ["null", "1", "-1e308", "\"\"", "\"\\ud800\"", "[]", "{}", "[[]]", "true", "\"😀\"", "1e999", "\"\\u0000\""];
        var random = new Random(77);
        int count = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : 4000;
        for (int i = 0; i < count; i++)
        {
            var bytes = Encoding.UTF8.GetBytes(seeds[random.Next(seeds.Length)]).ToList();
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                int at = random.Next(bytes.Count);
                switch (random.Next(3))
                {
                    case 0:
                        bytes[at] = (byte)random.Next(256);
                        break;
                    case 1:
                        bytes.RemoveRange(at, Math.Min(random.Next(1, 6), bytes.Count - at - 1));
                        break;
                    default:
                        int colon = bytes.IndexOf((byte)':', at);
                        if (colon > 0)
                            bytes.InsertRange(colon + 1, Encoding.UTF8.GetBytes(values[random.Next(values.Length)] + ",\"z\":"));
                        break;
                }
            }

            (JsonBody? body, PlatformError? error) = JsonBody.Parse(bytes.ToArray());
            if (body is null)
            {
                Assert.NotNull(error);
                continue;
            }

            (ChatCompletionRequest? request, error) = ChatRequestReader.Read(body.Root);
            Assert.True(request is null != error is null);
            body.Dispose();
        }
    }

    private static (ChatCompletionRequest? Request, PlatformError? Error) Read(string json)
    {
        (JsonBody? body, PlatformError? error) = JsonBody.Parse(Encoding.UTF8.GetBytes(json));
        Assert.Null(error);
        return ChatRequestReader.Read(body!.Root);
    }

    private static ChatCompletionRequest Good(string json)
    {
        (ChatCompletionRequest? request, PlatformError? error) = Read(json);
        Assert.Null(error);
        return request!;
    }
}
