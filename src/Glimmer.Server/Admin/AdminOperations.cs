using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;

namespace Glimmer.Server.Admin;

/// <summary>All that operators can do (docs/admin.md).</summary>
public static class AdminOperations
{
    private static readonly Dictionary<string, AdminOperation> _byName;

    static AdminOperations()
    {
        All = [.. AccountOperations.All, .. KeyOperations.All, .. PlanOperations.All, .. FundsOperations.All, .. UsageOperations.All, .. CatalogueOperations.All, .. BackendOperations.All, .. StoreOperations.All, .. NodeOperations.All];
        _byName = All.ToDictionary(operation => $"{operation.Method} {operation.Path}", StringComparer.Ordinal);
    }

    /// <summary>All operations.</summary>
    public static IReadOnlyList<AdminOperation> All { get; }

    /// <summary>The operation of a method and path, such as <c>PUT /accounts/{account}/tier</c>.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    public static AdminOperation Find(string name) => _byName[name];
}

/// <summary>Forms that the answers of several operations share.</summary>
internal static class AdminJson
{
    /// <summary>The outcome of a service as an answer.</summary>
    public static Outcome<JsonNode?> Json<T>(Outcome<T> outcome, Func<T, JsonObject> write) => outcome.Error is { } error ? error : write(outcome.Value!);

    /// <summary>What is written to the billing pages' writer, as an object.</summary>
    public static JsonObject Written(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return JsonNode.Parse(buffer.GetBuffer().AsSpan(0, (int)buffer.Length))!.AsObject();
    }

    public static JsonObject Done(bool done) => new() { ["done"] = done };

    public static long? Ms(DateTimeOffset? instant) => instant?.ToUnixTimeMilliseconds();
}
