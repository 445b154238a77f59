using System.Text;
using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Billing;
using Microsoft.Extensions.Primitives;

namespace Glimmer.Server.Admin;

/// <summary>
/// One thing that operators do. The HTTP routes under <c>/api/admin</c> and the commands of <c>glimmer</c> both run these, so that
/// both check, change and audit alike. Whoever runs one has made sure that the actor is an operator.
/// </summary>
public sealed class AdminOperation
{
    private readonly Func<AdminCall, Task<Outcome<JsonNode?>>> _run;
    private readonly bool _ofAccount;

    internal AdminOperation(string method, string path, string meaning, Func<AdminCall, Task<Outcome<JsonNode?>>> run)
    {
        Method = method;
        Path = path;
        Meaning = meaning;
        _run = run;
        _ofAccount = path.Contains("{account}", StringComparison.Ordinal);
    }

    /// <summary>HTTP method.</summary>
    public string Method { get; }

    /// <summary>Path below <c>/api/admin</c>, with <c>{names}</c>.</summary>
    public string Path { get; }

    /// <summary>What it does, in one sentence.</summary>
    public string Meaning { get; }

    /// <summary>Runs it.</summary>
    /// <param name="platform">The platform.</param>
    /// <param name="actor">Who, for the audit log.</param>
    /// <param name="route">Values of the path's names; for <c>account</c> a public id, or <c>default</c> for the machine owner's.</param>
    /// <param name="query">Query parameters.</param>
    /// <param name="body">One JSON object; empty for none.</param>
    /// <param name="cancel">Ends waiting.</param>
    /// <returns>The answer, or why it was refused.</returns>
    public async Task<Outcome<JsonNode?>> RunAsync(
        AdminPlatform platform, Actor actor, IReadOnlyDictionary<string, string> route, IReadOnlyDictionary<string, string> query, ReadOnlyMemory<byte> body, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(platform);
        ArgumentNullException.ThrowIfNull(route);
        ArgumentNullException.ThrowIfNull(query);
        byte[] text = body.IsEmpty ? Encoding.ASCII.GetBytes("{}") : body.ToArray();
        (JsonBody? json, PlatformError? error) = JsonBody.Parse(text);
        using (json)
        {
            if (json is null)
                return error!;
            AccountEntry? account = null;
            if (_ofAccount)
            {
                string id = route.GetValueOrDefault("account", "");
                account = id == "default" ? platform.Accounts.DefaultAccount : platform.Accounts.Directory.Find(id);
                if (account is null)
                    return AdminErrors.Missing("account", "账户");
            }

            var parameters = new QueryCollection(query.ToDictionary(pair => pair.Key, pair => new StringValues(pair.Value), StringComparer.OrdinalIgnoreCase));
            var call = new AdminCall(platform, actor, route, new BillingQuery(parameters), json.Root, account, cancel);
            try
            {
                return await _run(call);
            }
            catch (CatalogException fault)
            {
                return PlatformError.Invalid("text", fault.Message.TrimEnd('.'), "Correct it and send it again");
            }
            catch (StoreException fault)
            {
                return AdminErrors.Conflict(fault.Message, fault.Message);
            }
        }
    }
}

/// <summary>One run of an operation.</summary>
internal sealed class AdminCall(
    AdminPlatform platform, Actor actor, IReadOnlyDictionary<string, string> route, BillingQuery query, FieldReader body, AccountEntry? account, CancellationToken cancel)
{
    public AdminPlatform Platform => platform;

    public Actor Actor => actor;

    public BillingQuery Query => query;

    public FieldReader Body => body;

    /// <summary>The account of the path.</summary>
    public AccountEntry Account => account!;

    public CancellationToken Cancel => cancel;

    /// <summary>The first thing wrong with what was sent; look once all is read.</summary>
    public PlatformError? Error => body.Error ?? query.Error;

    public DateTimeOffset Now => platform.Accounts.Now;

    public string Route(string name) => route.GetValueOrDefault(name, "");

    /// <summary>An instant of the body, in milliseconds since 1970, that is not over and within ten years.</summary>
    public DateTimeOffset? Coming(string name)
    {
        long now = Now.ToUnixTimeMilliseconds();
        return body.Whole(name, now, now + (3650L * 24 * 3600 * 1000)) is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null;
    }

    /// <summary>Keeps a change in the audit log.</summary>
    public Task AuditAsync(string action, string subject, JsonNode? before, JsonNode? after) => platform.Accounts.Audit.RecordAsync(actor, account?.Id, action, subject, before, after);
}

/// <summary>Refusals of the admin API.</summary>
internal static class AdminErrors
{
    public static PlatformError Missing(string kind, string chinese) => new(BusinessCode.ParameterInvalid, $"There is no such {kind}") { Chinese = $"{chinese}不存在", Status = StatusCodes.Status404NotFound };

    public static PlatformError Conflict(string english, string chinese, string? field = null) => new(BusinessCode.ParameterInvalid, english, field) { Chinese = chinese, Status = StatusCodes.Status409Conflict };

    public static PlatformError NoOperator() => new(BusinessCode.ApiForbidden, "Only operators of the platform may do this") { Chinese = "仅平台管理员可执行此操作" };
}
