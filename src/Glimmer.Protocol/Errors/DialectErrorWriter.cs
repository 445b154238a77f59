using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Errors;

/// <summary>Writes errors as each dialect's own service says them.</summary>
public static class DialectErrorWriter
{
    /// <summary>The HTTP status of an error in a dialect.</summary>
    public static int StatusOf(WireDialect dialect, PlatformError error) => dialect switch
    {
        _ when error.StatusIsFinal => error.Status,

        // Anthropic's clients wait and repeat on 529, and take 429 for the caller's own limit.
        WireDialect.Anthropic when error.Code is BusinessCode.Overloaded or BusinessCode.ModelBusy || error.Status == 503 => 529,
        WireDialect.Anthropic or WireDialect.OpenAI or WireDialect.Ollama or WireDialect.Gemini when error.Code is BusinessCode.ModelMissing or BusinessCode.ApiMissing => 404,
        WireDialect.OpenAI or WireDialect.Gemini when error.Code is BusinessCode.Overloaded or BusinessCode.ModelBusy => 503,
        _ => error.Status,
    };

    /// <summary>Writes the body as UTF-8.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="dialect">The dialect.</param>
    /// <param name="error">The error.</param>
    /// <param name="language">Language of its message.</param>
    /// <param name="requestId">Id of the request, where the dialect tells it.</param>
    public static void Write(IBufferWriter<byte> output, WireDialect dialect, PlatformError error, MessageLanguage language, string requestId)
    {
        if (dialect == WireDialect.Native)
        {
            PlatformErrorWriter.Write(output, error, language);
            return;
        }

        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        Write(json, dialect, error, language, requestId);
    }

    /// <summary>Writes the object, also inside a stream.</summary>
    public static void Write(Utf8JsonWriter json, WireDialect dialect, PlatformError error, MessageLanguage language, string requestId)
    {
        string message = error.MessageIn(language);
        json.WriteStartObject();
        switch (dialect)
        {
            case WireDialect.Anthropic:
                json.WriteString("type"u8, "error"u8);
                json.WriteStartObject("error"u8);
                json.WriteString("type"u8, AnthropicType(error));
                json.WriteString("message"u8, message);
                json.WriteString("code"u8, error.Code.Digits());
                json.WriteEndObject();
                json.WriteString("request_id"u8, requestId);
                break;
            case WireDialect.Ollama:
                json.WriteString("error"u8, message);
                break;
            case WireDialect.Gemini:
                GeminiErrorWriter.Write(json, StatusOf(WireDialect.Gemini, error), error, message, requestId);
                break;
            default:
                json.WriteStartObject("error"u8);
                json.WriteString("message"u8, message);
                json.WriteString("type"u8, OpenAIType(error));
                json.WriteString("param"u8, error.Field);
                json.WriteString("code"u8, OpenAICode(error));
                json.WriteEndObject();
                break;
        }

        json.WriteEndObject();
    }

    /// <summary>Anthropic's type of an error.</summary>
    public static string AnthropicType(PlatformError error) => StatusOf(WireDialect.Anthropic, error) switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        >= 500 => "api_error",
        _ => "invalid_request_error",
    };

    private static string OpenAIType(PlatformError error) => StatusOf(WireDialect.OpenAI, error) switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        429 => IsMoney(error.Code) || IsPlan(error.Code) ? "insufficient_quota" : "rate_limit_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    };

    /// <summary>OpenAI's word where clients look for one, else the platform's digits.</summary>
    private static string OpenAICode(PlatformError error) => error.Code switch
    {
        BusinessCode.AuthenticationFailed or BusinessCode.CredentialMissing or BusinessCode.TokenInvalid or BusinessCode.TokenRejected => "invalid_api_key",
        BusinessCode.ModelMissing => "model_not_found",
        BusinessCode.PromptTooLong => "context_length_exceeded",
        BusinessCode.ConcurrencyExceeded or BusinessCode.FrequencyExceeded or BusinessCode.DailyLimitReached => "rate_limit_exceeded",
        BusinessCode.ContentUnsafe => "content_policy_violation",
        var code when IsMoney(code) || IsPlan(code) => "insufficient_quota",
        var code => code.Digits(),
    };

    private static bool IsMoney(BusinessCode code) => code == BusinessCode.AccountInArrears;

    private static bool IsPlan(BusinessCode code) => code is BusinessCode.UsageLimitReached or BusinessCode.PlanExpired or BusinessCode.PlanLimitExhausted;
}
