using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Answers;

/// <summary>Says how a request came in, for every dialect.</summary>
internal static class RequestOrigins
{
    /// <summary>The origin of a call.</summary>
    public static RequestOrigin Of(HttpContext context, ChatCall call)
    {
        var record = RequestRecord.Of(context);
        IHeaderDictionary headers = context.Request.Headers;
        return new RequestOrigin
        {
            RequestId = record.Id,
            Dialect = record.Dialect switch
            {
                WireDialect.OpenAI => "openai",
                WireDialect.Anthropic => "anthropic",
                WireDialect.Ollama => "ollama",
                WireDialect.Gemini => "gemini",
                _ => "native",
            },
            Path = context.Request.Path.Value ?? "",
            Stream = call.Stream,
            EndUser = call.EndUser,
            Headers = name => headers.TryGetValue(name, out Microsoft.Extensions.Primitives.StringValues values) ? values.ToString() : null,
        };
    }
}
