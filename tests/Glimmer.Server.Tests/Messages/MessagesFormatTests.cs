using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Inference;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Messages;

/// <summary>Structured outputs of the Messages API, and what is refused because Anthropic's own machines would do it.</summary>
public sealed class MessagesFormatTests : IAsyncLifetime
{
    private const string Path = "/api/anthropic/v1/messages";
    private const string Format = """{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}}""";
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("\"output_config\":{\"format\":" + Format + ",\"effort\":\"high\"}")]
    [InlineData("\"output_config\":{\"effort\":\"low\"},\"output_format\":" + Format)]
    [InlineData("\"output_config\":{\"format\":" + Format + "},\"output_format\":null,\"mcp_servers\":[],\"container\":null")]
    public async Task A_schema_is_enforced(string fields)
    {
        await _harness.ChatAsync(Body(fields), Path);
        AnswerFormat format = _harness.Backend.LastRequest!.Format;
        Assert.Equal((AnswerFormatKind.JsonSchema, true), (format.Kind, format.Strict));
        Assert.Equal("integer", format.Schema!.Value.GetProperty("properties").GetProperty("a").GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("\"output_config\":{\"effort\":\"high\"}")]
    [InlineData("\"output_config\":{\"format\":null}")]
    [InlineData("\"output_format\":null")]
    public async Task Without_one_the_answer_is_text(string fields)
    {
        await _harness.ChatAsync(Body(fields), Path);
        Assert.Equal(AnswerFormatKind.Text, _harness.Backend.LastRequest!.Format.Kind);
    }

    [Theory]
    [InlineData("\"output_config\":{\"format\":{\"type\":\"text\"}}", "output_config.format.type")]
    [InlineData("\"output_config\":{\"format\":{\"schema\":{}}}", "output_config.format.type")]
    [InlineData("\"output_format\":{\"type\":\"json_schema\"}", "output_format.schema")]
    [InlineData("\"output_format\":{\"type\":\"json_schema\",\"schema\":\"x\"}", "output_format.schema")]
    [InlineData("\"output_format\":" + Format + ",\"output_config\":{\"format\":" + Format + "}", "output_format")]
    [InlineData("\"mcp_servers\":[{\"type\":\"url\",\"url\":\"https://example.com\",\"name\":\"x\"}]", "mcp_servers")]
    [InlineData("\"container\":\"container_1\"", "container")]
    [InlineData("\"thread\":{}", "thread")]
    [InlineData("\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"{\"}],\"output_format\":" + Format, "messages")]
    public async Task What_cannot_be_is_refused_by_name(string fields, string field)
    {
        using HttpResponseMessage response = await _harness.PostAsync(Body(fields), Path);
        JsonElement said = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal((400, "error", "invalid_request_error"), ((int)response.StatusCode, said.GetProperty("type").GetString(), said.GetProperty("error").GetProperty("type").GetString()));
        Assert.Contains(field, said.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, _harness.Backend.Requests);
    }

    [Fact]
    public async Task A_document_is_read_with_its_title_and_its_context()
    {
        await _harness.ChatAsync(
            """{"model":"glm-4.7","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","title":"T","context":"C","source":{"type":"text","media_type":"text/plain","data":"D"}},{"type":"text","text":"Q"}]}]}""", Path);
        Assert.Equal("T\nC\nDQ", string.Concat(_harness.Backend.LastRequest!.Conversation.Messages[0].Content.OfType<TextPart>().Select(part => part.Text)));
    }

    private static string Body(string fields) =>
        "{\"model\":\"glm-4.7\",\"max_tokens\":50," + (fields.Contains("\"messages\"", StringComparison.Ordinal) ? "" : "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],") + fields + "}";
}
