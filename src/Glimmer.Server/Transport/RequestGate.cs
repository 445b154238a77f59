using Glimmer.Platform.Keys;
using Glimmer.Server.Accounts;
using Glimmer.Server.Tasks;

namespace Glimmer.Server.Transport;

/// <summary>Lets requests with a good credential pass and answers the others.</summary>
internal sealed class RequestGate(Authenticator authenticator, ClientAddress addresses)
{
    /// <summary>The key of the caller; null when the error has been answered.</summary>
    public async ValueTask<AccessKey?> AuthenticateAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        Authentication result = TaskCall.Of(context) is { } task ? authenticator.AuthenticateId(task.KeyId) : authenticator.Authenticate(new Credentials(
            request.Headers.Authorization.ToString(), request.Headers["x-api-key"].ToString(), request.Query["Authorization"].ToString(), addresses.Of(context)));
        if (result.Key is { } key)
        {
            RequestRecord.Of(context).KeyId = key.Id;
            return key;
        }

        await ErrorResponse.WriteAsync(context, result.Error!);
        return null;
    }
}
