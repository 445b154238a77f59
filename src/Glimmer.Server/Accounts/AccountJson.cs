using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Platform.Keys;

namespace Glimmer.Server.Accounts;

/// <summary>Accounts, people, projects and keys as the console sees them. Instants are milliseconds since 1970.</summary>
internal static class AccountJson
{
    public static JsonObject Of(UserEntry user) => new()
    {
        ["id"] = user.PublicId,
        ["email"] = user.Email,
        ["email_confirmed"] = user.EmailConfirmed,
        ["name"] = user.Name,
        ["language"] = user.Language,
        ["operator"] = user.IsOperator,
        ["has_password"] = user.HasPassword,
        ["created"] = Ms(user.Created),
    };

    public static JsonObject Of(Membership membership) => new()
    {
        ["id"] = membership.Account.PublicId,
        ["name"] = membership.Account.Name,
        ["role"] = MemberService.RoleText(membership.Role),
        ["state"] = membership.Account.State switch
        {
            AccountState.Active => "active",
            AccountState.InArrears => "in_arrears",
            AccountState state => state.ToString().ToLowerInvariant(),
        },
        ["state_until"] = Ms(membership.Account.StateUntil),
        ["tier"] = membership.Account.Tier,
        ["created"] = Ms(membership.Account.Created),
    };

    public static JsonObject Of(ProjectEntry project) => new() { ["id"] = project.PublicId, ["name"] = project.Name, ["created"] = Ms(project.Created) };

    public static JsonObject Of(Member member)
    {
        JsonObject json = Of(member.User);
        json.Remove("operator");
        json.Remove("has_password");
        json["role"] = MemberService.RoleText(member.Role);
        json["since"] = Ms(member.Since);
        return json;
    }

    public static JsonObject Of(Invitation invitation) => new()
    {
        ["id"] = invitation.PublicId,
        ["email"] = invitation.Email,
        ["role"] = MemberService.RoleText(invitation.Role),
        ["expires"] = Ms(invitation.Expires),
    };

    public static JsonObject Of(KeyDetails key)
    {
        JsonObject json = Of(key.Key);
        json["project"] = key.ProjectId;
        json["last_used"] = Ms(key.LastUsed);
        json["former_secret_until"] = Ms(key.FormerUntil);
        return json;
    }

    /// <summary>A key just made, with the credential that is shown this once.</summary>
    public static JsonObject Of(NewAccessKey key)
    {
        JsonObject json = Of(key.Key);
        json["credential"] = key.Credential;
        return json;
    }

    public static JsonObject Of(AuditRecord record) => new()
    {
        ["id"] = record.Id,
        ["at"] = Ms(record.At),
        ["actor"] = record.Actor.Name,
        ["address"] = record.Actor.Address,
        ["action"] = record.Action,
        ["subject"] = record.Subject,
        ["before"] = record.Before is null ? null : JsonNode.Parse(record.Before),
        ["after"] = record.After is null ? null : JsonNode.Parse(record.After),
    };

    public static JsonObject List<T>(IEnumerable<T> items, Func<T, JsonNode> one) => new() { ["data"] = new JsonArray([.. items.Select(one)]) };

    private static JsonObject Of(AccessKey key) => new()
    {
        ["id"] = key.Id,
        ["name"] = key.Name,
        ["disabled"] = key.Disabled,
        ["created"] = Ms(key.Created),
        ["expires"] = Ms(key.Expires),
        ["models"] = key.Rules.Models is { } models ? new JsonArray([.. models.Select(model => JsonValue.Create(model))]) : null,
        ["ips"] = key.Rules.Networks is { } networks ? new JsonArray([.. networks.Select(network => JsonValue.Create(network.ToString()))]) : null,
        ["spend_cap"] = key.Rules.SpendCap,
    };

    private static long? Ms(DateTimeOffset? instant) => instant?.ToUnixTimeMilliseconds();
}
