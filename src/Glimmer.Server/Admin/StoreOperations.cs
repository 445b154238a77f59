using System.Globalization;
using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Store;
using Glimmer.Server.Accounts;

namespace Glimmer.Server.Admin;

/// <summary>The audit log, and the store and its backups.</summary>
internal static class StoreOperations
{
    public static AdminOperation[] All { get; } =
    [
        new("GET", "/audit", "Lists who did what, the newest first: account, actor, action (or its beginning), subject, before (an id), limit.", AuditAsync),
        new("GET", "/store", "Shows which database it is, its schema, and whether it is well.", call => Task.FromResult<Outcome<JsonNode?>>(Describe(call.Platform.Accounts.Store))),
        new("GET", "/store/check", "Has the database check itself, and checks the books.", CheckAsync),
        new("POST", "/store/backup", "Copies the store while it is used, into the folder backups of the data folder: portable (a form that either database restores).", BackupAsync),
    ];

    private static async Task<Outcome<JsonNode?>> AuditAsync(AdminCall call)
    {
        AdminPlatform platform = call.Platform;
        string? account = call.Query.Name("account");
        string? actor = call.Query.Name("actor");
        string? action = call.Query.Name("action");
        string? subject = call.Query.Name("subject");
        long before = call.Query.Whole("before", 1, long.MaxValue, long.MaxValue);
        int limit = (int)call.Query.Whole("limit", 1, 1000, 100);
        if (call.Error is { } error)
            return error;
        AccountEntry? entry = null;
        if (account is not null)
        {
            entry = account == "default" ? platform.Accounts.DefaultAccount : platform.Accounts.Directory.Find(account);
            if (entry is null)
                return AdminErrors.Missing("account", "账户");
        }

        IReadOnlyList<AuditRecord> records = await platform.Accounts.Audit.SearchAsync(new AuditFilter(entry?.Id, actor, action, subject, before, limit));
        JsonObject json = AccountJson.List(records, record =>
        {
            JsonObject line = AccountJson.Of(record);
            line["account"] = record.AccountId is { } id ? platform.Accounts.Directory.Find(id)?.PublicId : null;
            return line;
        });
        json["next"] = records.Count == limit ? records[^1].Id : null;
        return json;
    }

    private static JsonObject Describe(PlatformStore store) => new()
    {
        ["kind"] = store.Kind == StoreKind.Sqlite ? "sqlite" : "postgres",
        ["database"] = store.Description,
        ["schema"] = store.Steps() is [.., string last] ? last : null,
        ["steps"] = new JsonArray([.. store.Steps().Select(step => JsonValue.Create(step))]),
        ["warning"] = store.Warning,
        ["trouble"] = store.Trouble,
    };

    private static async Task<Outcome<JsonNode?>> CheckAsync(AdminCall call)
    {
        IReadOnlyList<string> pages = await Task.Run(call.Platform.Accounts.Store.Check, call.Cancel);
        IReadOnlyList<string> books = await call.Platform.Ledger.AuditAsync();
        return new JsonObject
        {
            ["holds"] = pages.Count + books.Count == 0,
            ["faults"] = new JsonArray([.. pages.Concat(books).Select(fault => JsonValue.Create(fault))]),
        };
    }

    private static async Task<Outcome<JsonNode?>> BackupAsync(AdminCall call)
    {
        bool portable = call.Body.Flag("portable") ?? false;
        if (call.Error is { } error)
            return error;
        PlatformStore store = call.Platform.Accounts.Store;
        string folder = Path.Combine(Path.GetFullPath(call.Platform.DataFolder), "backups");
        bool dump = portable || store.Kind != StoreKind.Sqlite;
        string name = string.Create(CultureInfo.InvariantCulture, $"glimmer-{call.Now.UtcDateTime:yyyyMMdd-HHmmss-fff}{(dump ? ".jsonl.gz" : ".db")}");
        string path = Path.Combine(folder, name);
        await Task.Run(
            () =>
            {
                Directory.CreateDirectory(folder);
                store.Backup(path, portable);
            },
            call.Cancel);
        long bytes = new FileInfo(path).Length;
        await call.AuditAsync("store.backup", name, null, new JsonObject { ["bytes"] = bytes, ["portable"] = dump });
        return new JsonObject { ["file"] = path, ["bytes"] = bytes, ["portable"] = dump };
    }
}
