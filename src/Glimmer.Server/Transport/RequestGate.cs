using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Accounts;
using Glimmer.Server.Tasks;

namespace Glimmer.Server.Transport;

/// <summary>Lets requests with a good credential pass and answers the others.</summary>
internal sealed class RequestGate(Authenticator authenticator, ClientAddress addresses)
{
    /// <summary>The key of the caller; null when the error has been answered.</summary>
    public ValueTask<AccessKey?> AuthenticateAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        (string key, string query) = (request.Headers["x-api-key"].ToString(), request.Query["Authorization"].ToString());
        if (RequestRecord.Of(context).Dialect == WireDialect.Gemini)
            (key, query) = (request.Headers["x-goog-api-key"].ToString() is { Length: > 0 } theirs ? theirs : key, request.Query["key"].ToString() is { Length: > 0 } asked ? asked : query);
        return AnswerAsync(context, TaskCall.Of(context) is { } task ? authenticator.AuthenticateId(task.KeyId) : authenticator.Authenticate(new Credentials(
            request.Headers.Authorization.ToString(), key, query, addresses.Of(context))));
    }

    /// <summary>The key of this public id, for a caller that needs no credential; null when it may not be used, which has been answered.</summary>
    public ValueTask<AccessKey?> AuthenticateAsync(HttpContext context, string keyId) => AnswerAsync(context, authenticator.Trust(keyId, addresses.Of(context)));

    private static async ValueTask<AccessKey?> AnswerAsync(HttpContext context, Authentication result)
    {
        if (result.Key is { } key)
        {
            RequestRecord.Of(context).KeyId = key.Id;
            return key;
        }

        await ErrorResponse.WriteAsync(context, result.Error!);
        return null;
    }
}
