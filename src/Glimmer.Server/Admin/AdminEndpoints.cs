using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Accounts;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Admin;

/// <summary>
/// <c>/api/admin/…</c> for operators only: by the session of a person who is one, as the console's calls are let in, or by a key with the
/// operator's right. Anybody else who is known gets 403 (1220), whatever he asks for; he learns nothing about what there is.
/// </summary>
internal sealed class AdminEndpoints(AdminPlatform platform, AccountGate sessions, RequestGate keys, ClientAddress addresses)
{
    private const string Base = "/api/admin";
    private const int MaxBody = 8 << 20;

    public void Map(IEndpointRouteBuilder app)
    {
        foreach (AdminOperation operation in AdminOperations.All)
        {
            string[] methods = operation.Method == HttpMethods.Get ? [HttpMethods.Get, HttpMethods.Head] : [operation.Method];
            app.MapMethods(Base + operation.Path, methods, context => HandleAsync(context, operation));
        }
    }

    private async Task HandleAsync(HttpContext context, AdminOperation operation)
    {
        if (context.Request.Headers.Authorization.Count == 0 && !context.Request.Headers.ContainsKey("x-api-key"))
        {
            await sessions.RunAsync(context, null, call => call.User.IsOperator ? RunAsync(context, operation, call.Actor) : Task.FromResult<Outcome<JsonNode?>>(AdminErrors.NoOperator()));
            return;
        }

        if (await keys.AuthenticateAsync(context) is not { } key)
            return;
        Outcome<JsonNode?> outcome = key.IsOperator ? await RunAsync(context, operation, new Actor($"key:{key.Id}", $"{addresses.Of(context)}")) : AdminErrors.NoOperator();
        await AccountGate.AnswerAsync(context, outcome);
    }

    private async Task<Outcome<JsonNode?>> RunAsync(HttpContext context, AdminOperation operation, Actor actor)
    {
        (RequestBody raw, PlatformError? error) = await BodyReader.ReadAsync(context, MaxBody);
        using RequestBody body = raw;
        if (error is not null)
            return error;
        if (!body.Memory.IsEmpty && !(context.Request.ContentType ?? "").StartsWith("application/json", StringComparison.OrdinalIgnoreCase))
        {
            return new PlatformError(BusinessCode.CallIncorrect, "The body must be JSON (Content-Type: application/json)")
            {
                Chinese = "请求体必须为 JSON（Content-Type: application/json）",
                Status = StatusCodes.Status415UnsupportedMediaType,
            };
        }

        return await operation.RunAsync(
            platform,
            actor,
            context.Request.RouteValues.ToDictionary(pair => pair.Key, pair => pair.Value as string ?? "", StringComparer.Ordinal),
            context.Request.Query.ToDictionary(pair => pair.Key, pair => pair.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            body.Memory,
            context.RequestAborted);
    }
}
