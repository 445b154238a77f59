using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Llama;

public sealed class LlamaRoutesTests : IAsyncLifetime
{
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Fact]
    public async Task A_limit_of_no_tokens_reads_the_prompt_and_says_nothing()
    {
        JsonElement read = await _harness.ChatAsync("""{"prompt":"Hello","n_predict":0}""", "/completion");
        Assert.Equal(1, _harness.Backend.LastRequest!.MaxTokens);
        Assert.Equal(("", true, 0, "limit"), (read.GetProperty("content").GetString(), read.GetProperty("stop").GetBoolean(), read.GetProperty("tokens_predicted").GetInt32(), read.GetProperty("stop_type").GetString()));

        using HttpResponseMessage streamed = await _harness.PostAsync("""{"prompt":"Hello","n_predict":0,"stream":true}""", "/completion");
        string only = Assert.Single((await streamed.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("data: {\"index\":0,\"content\":\"\",", only, StringComparison.Ordinal);

        JsonElement said = await _harness.ChatAsync("""{"prompt":"Hello","n_predict":-1}""", "/completion");
        Assert.Equal("Hello", said.GetProperty("content").GetString());
        Assert.Null(_harness.Backend.LastRequest!.MaxTokens);
    }

    [Theory]
    [InlineData(null, 204800)]
    [InlineData(0, 204800)]
    [InlineData(32768, 32768)]
    public async Task Props_tell_the_context_that_the_engine_takes(int? engine, int told)
    {
        _harness.Backend.EngineStatistics = engine is { } context ? new EngineStatistics { ContextLength = context } : null;
        JsonElement props = JsonDocument.Parse(await _harness.Client.GetStringAsync("/props?model=glm-4.7")).RootElement;
        Assert.Equal(told, props.GetProperty("default_generation_settings").GetProperty("n_ctx").GetInt32());
    }

    [Fact]
    public async Task Slots_are_not_shown()
    {
        using HttpResponseMessage response = await _harness.Client.GetAsync("/slots");
        Assert.Equal(501, (int)response.StatusCode);
        Assert.Equal("not_supported_error", JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("error").GetProperty("type").GetString());
    }

    [Fact]
    public async Task Routes_without_a_prefix_are_those_with_one()
    {
        _harness.Backend.Script = static _ => new ChatScript([new(ChatEventKind.Content, "Hi")]);
        JsonElement chat = await _harness.ChatAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}""", "/chat/completions");
        Assert.Equal("Hi", chat.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(await _harness.Client.GetStringAsync("/v1/models"), await _harness.Client.GetStringAsync("/models"));
        Assert.Equal("""{"status":"ok"}""", await _harness.Client.GetStringAsync("/v1/health"));
    }

    [Theory]
    [InlineData("/tokenize", "{}", "content")]
    [InlineData("/chat/completions", """{"model":"glm-4.7"}""", "messages")]
    [InlineData("/completion", "{}", "prompt")]
    public async Task Errors_have_a_type_and_name_their_field(string path, string body, string param)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, path);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("error");
        Assert.Equal((400, "invalid_request_error", param), ((int)response.StatusCode, error.GetProperty("type").GetString(), error.GetProperty("param").GetString()));
    }
}
