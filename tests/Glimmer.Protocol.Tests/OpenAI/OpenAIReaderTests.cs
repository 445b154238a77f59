using System.Text;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.OpenAI;

namespace Glimmer.Protocol.Tests.OpenAI;

public sealed class OpenAIReaderTests
{
    private static readonly string[] Seeds =
    [
        """{"model":"m","messages":[{"role":"user","content":"x"}],"n":2,"logit_bias":{"1":-5},"logprobs":true,"top_logprobs":3,"metadata":{"a":"b"},"stream_options":{"include_usage":true}}""",
        """{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"y"}],"functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}}""",
        """{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}}""",
        """{"model":"m","input":"x","tools":[{"type":"function","name":"f","parameters":{"type":"object"}},{"type":"namespace","name":"n","tools":[{"type":"function","name":"g"}]},{"type":"web_search"}],"tool_choice":{"type":"function","name":"f"},"include":["reasoning.encrypted_content"],"reasoning":{"effort":"low","summary":"auto"},"text":{"format":{"type":"json_schema","schema":{}}}}""",
        """{"model":"m","items":[{"type":"message","role":"user","content":"x"}],"input":[{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"data:x"}]},{"type":"reasoning","summary":[{"type":"summary_text","text":"s"}],"content":[{"type":"reasoning_text","text":"t"}],"encrypted_content":"e"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"o"}]},{"type":"item_reference","id":"i"}],"conversation":{"id":"c"}}""",
        """{"model":"m","prompt":["a","b"],"n":2,"echo":true,"logprobs":3,"suffix":"s","stop":"x","best_of":2}""",
    ];

    [Fact]
    public void Mutated_bodies_give_a_request_or_an_error_and_never_an_exception()
    {
        string[] values = ["null", "1", "-1e308", "\"\"", "\"\\ud800\"", "[]", "{}", "[[]]", "true", "\"😀\"", "1e999", "\"\\u0000\"", "[null]"];
        var random = new Random(78);
        int count = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : 6000;
        int read = 0;
        for (int i = 0; i < count; i++)
        {
            var bytes = Encoding.UTF8.GetBytes(Seeds[random.Next(Seeds.Length)]).ToList();
            for (int change = random.Next(0, 4); change > 0; change--)
            {
                int at = random.Next(bytes.Count);
                int colon = bytes.IndexOf((byte)':', at);
                if (random.Next(3) > 0 && colon > 0)
                    bytes.InsertRange(colon + 1, Encoding.UTF8.GetBytes(values[random.Next(values.Length)] + ",\"z\":"));
                else
                    bytes[at] = (byte)random.Next(256);
            }

            if (Parse([.. bytes]) is not { } root)
                continue;
            foreach (Func<FieldReader, bool> reader in new Func<FieldReader, bool>[] { Chat, Responses, Completions, Conversation })
                read += reader(Parse([.. bytes])!.Value) ? 1 : 0;
            Assert.Null(root.Error);
        }

        Assert.True(read > 0);

        static FieldReader? Parse(byte[] bytes) => JsonBody.Parse(bytes).Body?.Root;
        static bool Chat(FieldReader body) => One(CompletionsChatReader.Read(body));
        static bool Completions(FieldReader body) => One(CompletionsReader.Read(body));
        static bool Conversation(FieldReader body) => ConversationReader.Read(body, itemsRequired: true).Error is null;

        static bool Responses(FieldReader body)
        {
            (ResponsesRequest? request, PlatformError? error) = ResponsesRequestReader.Read(body);
            if (!One((request, error)))
                return false;
            (IReadOnlyList<WireMessage> messages, error) = ResponsesItems.Read(request!.Instructions, request.Input, request.Input, static _ => null);
            Assert.True(error is not null || messages.Count > 0);
            return error is null;
        }

        static bool One<T>((T? Request, PlatformError? Error) result)
            where T : class
        {
            Assert.True(result.Request is null != result.Error is null);
            return result.Request is not null;
        }
    }

    [Fact]
    public void Items_of_one_turn_are_one_message()
    {
        JsonElement[] items = [.. JsonDocument.Parse("""
            [{"role":"user","content":"q"},
             {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"r1"}]},{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},
             {"type":"reasoning","summary":[{"type":"summary_text","text":"s1"},{"type":"summary_text","text":"s2"}]},{"role":"assistant","content":"text"},{"type":"function_call","call_id":"b","name":"g","arguments":"{}"},
             {"type":"function_call_output","call_id":"a","output":"1"},{"type":"function_call_output","call_id":"b","output":"2"},
             {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"dropped"}]},{"role":"user","content":"more"},{"role":"assistant","content":"plain"}]
            """).RootElement.EnumerateArray()];
        (IReadOnlyList<WireMessage> messages, PlatformError? error) = ResponsesItems.Read("be", [], items, static _ => null);
        Assert.Null(error);
        Assert.Equal(
            ["System|be||", "User|q||", "Assistant||r1|a", "Assistant|text|s1\n\ns2|b", "Tool|1||", "Tool|2||", "User|more||", "Assistant|plain||"],
            messages.Select(message => $"{message.Role}|{string.Concat(message.Parts.Select(part => part.Value))}|{message.ReasoningContent}|{string.Join(',', message.ToolCalls.Select(call => call.Id))}"));
    }
}
