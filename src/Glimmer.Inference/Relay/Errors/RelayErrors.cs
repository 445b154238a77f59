using System.Globalization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Relay.Errors;

/// <summary>What a service's error means to the client, to the choice of another backend and to the operator.</summary>
/// <param name="Error">Told to the client.</param>
/// <param name="Fault">Whose fault it is.</param>
/// <param name="IsAccount">Whether it concerns the operator's account or set-up at the service: a key, a balance, a model's name. The client hears nothing of it.</param>
internal readonly record struct MappedError(PlatformError Error, StartFault Fault, bool IsAccount);

/// <summary>Maps the errors of services (docs/backends-relay.md has the table).</summary>
internal static class RelayErrors
{
    private const int MaxField = 120;
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    /// <summary>Maps an error.</summary>
    /// <param name="said">What the service said.</param>
    /// <param name="model">The model's code, as the client knows it.</param>
    /// <param name="secrets">What must not be told.</param>
    public static MappedError Map(in UpstreamError said, string model, Secrets secrets)
    {
        MappedError mapped = said.BusinessCode switch
        {
            0 => OfWords(said, model, secrets),
            var code => OfBusiness((BusinessCode)code, said, model, secrets),
        };
        return said.RetryAfter is { } wait && mapped.Fault == StartFault.Busy
            ? mapped with { Error = mapped.Error with { RetryAfter = wait < LongestWait ? wait : LongestWait } }
            : mapped;
    }

    /// <summary>The service failed, or could not be reached.</summary>
    /// <param name="model">The model's code.</param>
    /// <param name="reason">What happened, a sentence's end without its full stop.</param>
    public static PlatformError Failed(string model, string reason) => new(BusinessCode.Network, $"The model {model} cannot answer now: {reason}. Please try again later.")
    {
        Chinese = $"模型 {model} 暂时无法应答（{reason}），请稍后重试",
    };

    private static MappedError OfBusiness(BusinessCode code, in UpstreamError said, string model, Secrets secrets) => (int)code switch
    {
        // What the client asked for.
        1210 or (>= 1212 and <= 1215) or 1261 or 1300 or 1301 or 1703 => new(Told(code, said, secrets), StartFault.Request, false),

        // The service is full, or the operator has asked it for too much for now. Its limits are not the client's.
        1302 or 1303 or 1304 or 1305 or 1308 or 1310 or 1312 or (>= 1316 and <= 1321) or 1701 => new(Busy(code == BusinessCode.ModelBusy ? code : BusinessCode.Overloaded, model), StartFault.Busy, (int)code is 1304 or >= 1308 and not 1312 and not 1701),

        // The operator's key, account, plan or set-up.
        (>= 1000 and <= 1121) or 1211 or (>= 1220 and <= 1222) or 1309 or 1311 or (>= 1313 and <= 1315) => new(Failed(model, "the service behind it refuses this platform"), StartFault.Backend, true),

        // 500, 1200, 1230, 1231, 1234, 1702 and codes that nobody knows yet.
        _ when said.Status is 400 or 413 or 422 && code is not (BusinessCode.Network or BusinessCode.CallFailed or BusinessCode.CallProcess or BusinessCode.RequestDuplicate) =>
            new(Told(BusinessCode.CallIncorrect, said, secrets), StartFault.Request, false),
        _ => new(Failed(model, "the service behind it failed"), StartFault.Backend, false),
    };

    /// <summary>Services that have types and words instead of numbers.</summary>
    private static MappedError OfWords(in UpstreamError said, string model, Secrets secrets)
    {
        if (IsAny(said, "context_length_exceeded", "exceed_context_size_error") || said.Status is 0 or 400 or 413 or 422 && SaysTooLong(said.Message))
            return new(Told(BusinessCode.PromptTooLong, said, secrets), StartFault.Request, false);
        if (IsAny(said, "content_policy_violation", "content_filter", "ResponsibleAIPolicyViolation", "data_inspection_failed"))
            return new(Told(BusinessCode.ContentUnsafe, said, secrets), StartFault.Request, false);
        if (IsAccount(said))
            return new(Failed(model, "the service behind it refuses this platform"), StartFault.Backend, true);
        return StatusOf(said) switch
        {
            413 => new(Told(BusinessCode.CallIncorrect, said, secrets) with { Status = 413 }, StartFault.Request, false),
            400 or 422 => new(Told(said.Field.Length > 0 ? BusinessCode.ParameterInvalid : BusinessCode.CallIncorrect, said, secrets), StartFault.Request, false),
            409 or 425 or 429 or 503 or 529 => new(Busy(BusinessCode.Overloaded, model), StartFault.Busy, false),
            408 or 504 => new(Failed(model, "the service behind it took too long"), StartFault.Backend, false),
            >= 300 and < 500 => new(Failed(model, "the service behind it refuses this platform"), StartFault.Backend, true),
            _ => new(Failed(model, "the service behind it failed"), StartFault.Backend, false),
        };
    }

    /// <summary>The status, or the one that a type stands for where it came inside a stream.</summary>
    private static int StatusOf(in UpstreamError said) => said.Status != 0
        ? said.Status
        : said.Type switch
        {
            "invalid_request_error" or "BadRequestError" => 400,
            "authentication_error" => 401,
            "permission_error" => 403,
            "not_found_error" => 404,
            "request_too_large" => 413,
            "rate_limit_error" or "rate_limit_exceeded" or "overloaded_error" => 429,
            "timeout_error" => 504,
            _ when int.TryParse(said.Code, NumberStyles.None, CultureInfo.InvariantCulture, out int status) && status is >= 400 and < 600 => status,
            _ => 500,
        };

    /// <summary>Whether it concerns the operator's key, money, rights, or the names in the definition.</summary>
    private static bool IsAccount(in UpstreamError said)
    {
        int status = StatusOf(said);
        return status is 401 or 402 or 403 or 404 or 405
            || IsAny(said, "invalid_api_key", "insufficient_quota", "billing_error", "model_not_found", "billing_not_active", "account_deactivated", "insufficient_user_quota", "unsupported_country_region_territory", "invalid_organization")
            || status is 400 or 429 && SaysNoMoney(said.Message);
    }

    private static bool SaysNoMoney(string message) =>
        message.Contains("credit balance is too low", StringComparison.OrdinalIgnoreCase)
        || message.Contains("exceeded your current quota", StringComparison.OrdinalIgnoreCase)
        || message.Contains("insufficient balance", StringComparison.OrdinalIgnoreCase);

    private static bool SaysTooLong(string message) =>
        message.Contains("prompt is too long", StringComparison.OrdinalIgnoreCase)
        || message.Contains("maximum context length", StringComparison.OrdinalIgnoreCase)
        || message.Contains("exceeds the available context size", StringComparison.OrdinalIgnoreCase)
        || message.Contains("longer than the model's context length", StringComparison.OrdinalIgnoreCase);

    private static bool IsAny(in UpstreamError said, params ReadOnlySpan<string> words)
    {
        foreach (string word in words)
        {
            if (string.Equals(said.Code, word, StringComparison.OrdinalIgnoreCase) || string.Equals(said.Type, word, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    /// <summary>An error of the request in the service's own words.</summary>
    private static PlatformError Told(BusinessCode code, in UpstreamError said, Secrets secrets)
    {
        string quote = secrets.Quote(said.Message);
        string? field = said.Field.Length is > 0 and <= MaxField && said.Field.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '[' or ']' or '-') ? secrets.Quote(said.Field) : null;
        return quote.Length > 0 ? new PlatformError(code, quote, field) : PlatformError.Of(code) with { Field = field, Message = "The service behind the model refused the request and gave no reason." };
    }

    private static PlatformError Busy(BusinessCode code, string model) => new(code, $"The model {model} is overloaded. Please try again later.")
    {
        Chinese = $"模型 {model} 当前过载，请稍后重试",
    };
}
