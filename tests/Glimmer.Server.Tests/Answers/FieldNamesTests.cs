using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Answers;

public sealed class FieldNamesTests : IAsyncLifetime
{
    private const string Schema = "response_format.json_schema.schema";
    private const string Messages = "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]";
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("/api/paas/v4/chat/completions", Messages, Schema, Schema)]
    [InlineData("/v1/chat/completions", Messages, Schema, Schema)]
    [InlineData("/v1/responses", "\"input\":\"x\"", Schema, "text.format.schema")]
    [InlineData("/v1/messages", "\"max_tokens\":9," + Messages, Schema, "output_config.format.schema")]
    [InlineData("/api/chat", Messages, Schema, "format")]
    [InlineData("/api/generate", "\"prompt\":\"x\"", Schema, "format")]
    [InlineData("/completion", "\"prompt\":\"x\"", Schema, "json_schema")]
    [InlineData("/completion", "\"prompt\":\"x\"", "response_format.grammar", "grammar")]
    [InlineData("/infill", "\"input_prefix\":\"x\",\"input_suffix\":\"y\"", "response_format.grammar", "grammar")]
    [InlineData("/v1/responses", "\"input\":\"x\"", "tools[0].parameters", "tools[0].parameters")]
    public async Task A_backend_s_fault_names_the_field_that_the_caller_sent(string path, string fields, string field, string told)
    {
        _harness.Backend.Script = _ => new ChatScript([]) { Error = PlatformError.Invalid(field, "it is wrong", "Send another") };
        JsonElement error = await ErrorAsync(path, fields);
        string message = error.ValueKind == JsonValueKind.String ? error.GetString()! : error.GetProperty("message").GetString()!;
        Assert.Equal($"The parameter {told} is invalid: it is wrong. Send another.", message);
        if (error.ValueKind == JsonValueKind.Object && error.TryGetProperty("param", out JsonElement param))
            Assert.Equal(told, param.GetString());
    }

    [Theory]
    [InlineData("/v1/chat/completions", Messages, "messages")]
    [InlineData("/v1/responses", "\"input\":\"x\"", "input")]
    public async Task A_prompt_that_is_too_long_is_the_caller_s_own(string path, string fields, string param)
    {
        _harness.Backend.Script = _ => new ChatScript([]) { Error = new PlatformError(BusinessCode.PromptTooLong, "The messages are long.", "messages") };
        JsonElement error = await ErrorAsync(path, fields);
        Assert.Equal((param, "The messages are long.", "context_length_exceeded"), (error.GetProperty("param").GetString(), error.GetProperty("message").GetString(), error.GetProperty("code").GetString()));
    }

    private async Task<JsonElement> ErrorAsync(string path, string fields)
    {
        using HttpResponseMessage response = await _harness.PostAsync($$"""{"model":"glm-4.7",{{fields}}}""", path);
        Assert.Equal(400, (int)response.StatusCode);
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("error");
    }
}
