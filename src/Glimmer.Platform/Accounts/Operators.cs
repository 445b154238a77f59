using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts.Mail;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Accounts;

/// <summary>The people who may administer the platform. Keys with the same right are keys of the default account (<see cref="KeyChange.Operator"/>).</summary>
public sealed class Operators
{
    private readonly PlatformStore _store;

    internal Operators(PlatformStore store) => _store = store;

    /// <summary>All of them, the oldest first.</summary>
    public async Task<IReadOnlyList<UserEntry>> ListAsync() => await _store.ReadAsync(session =>
        session.List<long>("SELECT id FROM users WHERE operator <> 0 ORDER BY id").ConvertAll(id => UserRow.Find(session, id)!.ToEntry()));

    /// <summary>Makes a user an operator, or takes it back.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="email">The user's address.</param>
    /// <param name="isOperator">Whether he is to be one.</param>
    public async Task<Outcome<UserEntry>> SetAsync(Actor actor, string email, bool isOperator) =>
        await _store.WriteAsync<Outcome<UserEntry>>(session =>
        {
            if (MailAddressRule.Normalise(email) is not { } normal || UserRow.FindByEmail(session, normal) is not { } user)
                return AccountErrors.Missing("user", "用户");
            session.Execute("UPDATE users SET operator = @flag WHERE id = @id", new { flag = isOperator ? 1L : 0L, id = user.Id });
            AuditLog.Write(session, _store.Now, actor, null, "user.operator", user.Public_id, JsonValue.Create(user.Operator != 0), JsonValue.Create(isOperator));
            return UserRow.Find(session, user.Id)!.ToEntry();
        });
}
