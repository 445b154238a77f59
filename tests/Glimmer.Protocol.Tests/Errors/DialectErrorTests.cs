using System.Buffers;
using System.Text;
using Glimmer.Protocol.Errors;

namespace Glimmer.Protocol.Tests.Errors;

public sealed class DialectErrorTests
{
    [Theory]
    [InlineData("/v1/chat/completions", WireDialect.OpenAI)]
    [InlineData("/v1", WireDialect.OpenAI)]
    [InlineData("/v10/chat", WireDialect.Native)]
    [InlineData("/V1/Messages/count_tokens", WireDialect.Anthropic)]
    [InlineData("/v1/messagesx", WireDialect.OpenAI)]
    [InlineData("/api/anthropic/v1/models", WireDialect.Anthropic)]
    [InlineData("/api/anthropics", WireDialect.Native)]
    [InlineData("/api/chat", WireDialect.Ollama)]
    [InlineData("/v1beta/models", WireDialect.Gemini)]
    [InlineData("/v1alpha/files", WireDialect.Gemini)]
    [InlineData("/v1/models/m:generateContent", WireDialect.Gemini)]
    [InlineData("/models/m:streamGenerateContent", WireDialect.Gemini)]
    [InlineData("/v1/models/m", WireDialect.OpenAI)]
    [InlineData("/v1betas", WireDialect.Native)]
    [InlineData("/models/m", WireDialect.Native)]
    [InlineData("/api/paas/v4/chat/completions", WireDialect.Native)]
    [InlineData("/api/v1/agents", WireDialect.Native)]
    [InlineData("/chat/completions", WireDialect.OpenAI)]
    [InlineData("/models", WireDialect.OpenAI)]
    [InlineData("/tokenize", WireDialect.OpenAI)]
    [InlineData("/Props", WireDialect.OpenAI)]
    [InlineData("/props/x", WireDialect.Native)]
    [InlineData("/api/blobs/sha256:00", WireDialect.Ollama)]
    public void The_path_tells_the_dialect(string path, WireDialect dialect) => Assert.Equal(dialect, WireDialects.Of(path));

    [Theory]
    [InlineData(BusinessCode.TokenInvalid, 401, "authentication_error", "invalid_api_key", 401, "authentication_error")]
    [InlineData(BusinessCode.ApiForbidden, 403, "permission_error", "1220", 403, "permission_error")]
    [InlineData(BusinessCode.ModelMissing, 404, "invalid_request_error", "model_not_found", 404, "not_found_error")]
    [InlineData(BusinessCode.ParameterInvalid, 400, "invalid_request_error", "1214", 400, "invalid_request_error")]
    [InlineData(BusinessCode.PromptTooLong, 400, "invalid_request_error", "context_length_exceeded", 400, "invalid_request_error")]
    [InlineData(BusinessCode.AccountInArrears, 429, "insufficient_quota", "insufficient_quota", 429, "rate_limit_error")]
    [InlineData(BusinessCode.UsageLimitReached, 429, "insufficient_quota", "insufficient_quota", 429, "rate_limit_error")]
    [InlineData(BusinessCode.ConcurrencyExceeded, 429, "rate_limit_error", "rate_limit_exceeded", 429, "rate_limit_error")]
    [InlineData(BusinessCode.Overloaded, 503, "server_error", "1305", 529, "overloaded_error")]
    [InlineData(BusinessCode.Internal, 500, "server_error", "500", 500, "api_error")]
    public void Each_dialect_has_its_words(BusinessCode code, int openAIStatus, string openAIType, string openAICode, int anthropicStatus, string anthropicType)
    {
        PlatformError error = new(code, "No \"x\"", "a.b") { Chinese = "无" };

        Assert.Equal((openAIStatus, anthropicStatus), (DialectErrorWriter.StatusOf(WireDialect.OpenAI, error), DialectErrorWriter.StatusOf(WireDialect.Anthropic, error)));
        Assert.Equal(
            $$$"""{"error":{"message":"No \"x\"","type":"{{{openAIType}}}","param":"a.b","code":"{{{openAICode}}}"}}""",
            Write(WireDialect.OpenAI, error, MessageLanguage.English));
        Assert.Equal(
            $$$"""{"type":"error","error":{"type":"{{{anthropicType}}}","message":"无","code":"{{{(int)code}}}"},"request_id":"r1"}""",
            Write(WireDialect.Anthropic, error, MessageLanguage.Chinese));
        Assert.Equal("""{"error":"No \"x\""}""", Write(WireDialect.Ollama, error, MessageLanguage.English));
        Assert.Equal($$$"""{"error":{"code":"{{{(int)code}}}","message":"无"}}""", Write(WireDialect.Native, error, MessageLanguage.Chinese));
    }

    [Theory]
    [InlineData(BusinessCode.TokenInvalid, 401, "UNAUTHENTICATED", "API_KEY_INVALID")]
    [InlineData(BusinessCode.ApiForbidden, 403, "PERMISSION_DENIED", "GLIMMER_1220")]
    [InlineData(BusinessCode.ModelMissing, 404, "NOT_FOUND", "GLIMMER_1211")]
    [InlineData(BusinessCode.AccountInArrears, 429, "RESOURCE_EXHAUSTED", "QUOTA_EXHAUSTED")]
    [InlineData(BusinessCode.ConcurrencyExceeded, 429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED")]
    [InlineData(BusinessCode.Overloaded, 503, "UNAVAILABLE", "GLIMMER_1305")]
    [InlineData(BusinessCode.Internal, 500, "INTERNAL", "GLIMMER_500")]
    public void Gemini_has_its_words(BusinessCode code, int status, string name, string reason)
    {
        PlatformError error = new(code, "No") { RetryAfter = TimeSpan.FromSeconds(2.2) };
        Assert.Equal(status, DialectErrorWriter.StatusOf(WireDialect.Gemini, error));
        Assert.Equal(
            $$$"""{"error":{"code":{{{status}}},"message":"No","status":"{{{name}}}","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{{{reason}}}","domain":"glimmer","metadata":{"code":"{{{(int)code}}}"}},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3s"},{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"r1"}]}}""",
            Write(WireDialect.Gemini, error, MessageLanguage.English));
    }

    [Fact]
    public void Gemini_names_the_field_at_fault()
    {
        string text = Write(WireDialect.Gemini, PlatformError.Invalid("contents[0].role", "it is odd", "Send user"), MessageLanguage.English);
        Assert.StartsWith("{\"error\":{\"code\":400,\"message\":\"The parameter contents[0].role is invalid: it is odd. Send user.\",\"status\":\"INVALID_ARGUMENT\",", text, StringComparison.Ordinal);
        Assert.Contains("{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":\"contents[0].role\",\"description\":\"The parameter", text, StringComparison.Ordinal);
    }

    private static string Write(WireDialect dialect, PlatformError error, MessageLanguage language)
    {
        ArrayBufferWriter<byte> output = new();
        DialectErrorWriter.Write(output, dialect, error, language, "r1");
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
