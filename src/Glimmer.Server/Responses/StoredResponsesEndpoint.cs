using Glimmer.Platform.Keys;
using Glimmer.Platform.Responses;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary><c>GET</c> and <c>DELETE /v1/responses/{id}</c>, <c>…/input_items</c> and <c>…/cancel</c>. What is not the caller's own is not there.</summary>
internal sealed class StoredResponsesEndpoint(RequestGate gate, ResponseHistory history, BackgroundResponses background, ResponseFollower follower)
{
    /// <summary>Tells a response.</summary>
    public Task GetAsync(HttpContext context) => ForAsync(context, async (_, response) =>
    {
        (long? after, PlatformError? error) = ResponseFollower.Read(context.Request.Query);
        if (error is not null)
            await ErrorResponse.WriteAsync(context, error);
        else if (after is { } known)
            await follower.FollowAsync(context, response, known);
        else
            await JsonReply.WriteAsync(context, BackgroundResponses.BodyOf(response));
    });

    /// <summary>Removes a response.</summary>
    public Task DeleteAsync(HttpContext context) => ForAsync(context, async (key, response) =>
    {
        await background.CancelAsync(response);
        await history.DeleteAsync(key.AccountId, response.Id);
        await JsonReply.WriteAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteString("id"u8, response.Id);
            json.WriteString("object"u8, "response"u8);
            json.WriteBoolean("deleted"u8, true);
            json.WriteEndObject();
        });
    });

    /// <summary>Lists the input of a response.</summary>
    public Task InputItemsAsync(HttpContext context) => ForAsync(context, async (_, response) =>
    {
        List<StoredItem> items = [.. ResponseHistory.Parse(response.Input).EnumerateArray().Select(static item => new StoredItem(item.GetProperty("id").GetString()!, item.GetRawText()))];
        if (await JsonReply.WritePageAsync(context, items) is { } error)
            await ErrorResponse.WriteAsync(context, error);
    });

    /// <summary>Ends a response that is made in the background; one that has ended stays as it is.</summary>
    public Task CancelAsync(HttpContext context) => ForAsync(context, async (key, response) =>
    {
        if (!ResponseHistory.Parse(response.Body).GetProperty("background").GetBoolean())
        {
            await ErrorResponse.WriteAsync(context, PlatformError.Invalid("id", "the response is not made in the background", "Cancel only responses with background true; close the connection of others"));
            return;
        }

        if (await background.CancelAsync(response))
            response = await history.FindAsync(key.AccountId, response.Id) ?? response;
        await JsonReply.WriteAsync(context, BackgroundResponses.BodyOf(response));
    });

    private async Task ForAsync(HttpContext context, Func<AccessKey, StoredResponse, Task> answer)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        string id = (string?)context.Request.RouteValues["id"] ?? "";
        if (await history.FindAsync(key.AccountId, id) is { } response)
            await answer(key, response);
        else
            await ErrorResponse.WriteAsync(context, ResponseHistory.Missing("Response", id, "id"));
    }
}
