using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Responses;

/// <summary>Responses and conversations that an account asked to keep, for export and deletion. A deletion leaves nothing of them, nor of tasks and batches.</summary>
public sealed class ResponsesData(PlatformStore store) : IAccountDataOwner
{
    /// <inheritdoc/>
    public string Part => "responses";

    /// <inheritdoc/>
    public async Task<JsonNode?> ExportAsync(AccountEntry account, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(account);
        return await store.ReadAsync<JsonNode?>(
            session =>
            {
                var responses = new JsonArray();
                foreach ((string body, string input) in session.List<(string, string)>("SELECT body, input FROM responses WHERE account = @Id ORDER BY created, id", new { account.Id }))
                    responses.Add((JsonNode)new JsonObject { ["input"] = JsonNode.Parse(input), ["response"] = JsonNode.Parse(body) });
                var conversations = new JsonArray();
                foreach ((string id, string metadata) in session.List<(string, string)>("SELECT id, metadata FROM conversations WHERE account = @Id ORDER BY created, id", new { account.Id }))
                {
                    var items = new JsonArray();
                    foreach (string item in session.List<string>("SELECT body FROM conversation_items WHERE conversation = @id ORDER BY number", new { id }))
                        items.Add(JsonNode.Parse(item));
                    conversations.Add((JsonNode)new JsonObject { ["id"] = id, ["metadata"] = JsonNode.Parse(metadata), ["items"] = items });
                }

                return new JsonObject { ["responses"] = responses, ["conversations"] = conversations };
            },
            snapshot: true,
            cancel);
    }

    /// <inheritdoc/>
    public Task EraseAsync(AccountEntry account)
    {
        ArgumentNullException.ThrowIfNull(account);
        return store.WriteAsync(session =>
        {
            session.Execute("DELETE FROM tasks WHERE account = @Id", new { account.Id });
            session.Execute("DELETE FROM task_batches WHERE account = @Id", new { account.Id });
            session.Execute("DELETE FROM response_items WHERE account = @Id", new { account.Id });
            session.Execute("DELETE FROM response_events WHERE response IN (SELECT id FROM responses WHERE account = @Id)", new { account.Id });
            session.Execute("DELETE FROM responses WHERE account = @Id", new { account.Id });
            session.Execute("DELETE FROM conversation_items WHERE conversation IN (SELECT id FROM conversations WHERE account = @Id)", new { account.Id });
            session.Execute("DELETE FROM conversations WHERE account = @Id", new { account.Id });
            return true;
        });
    }
}
