using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Server.Billing;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Accounts;

/// <summary>
/// Callers of the billing pages: by API key where the request carries one, else by session. A session names its account
/// in the header <c>X-Glimmer-Account</c> (or the query <c>account</c>, for links to files), unless it has one only. Owners
/// and billing may pay; other members read.
/// </summary>
internal sealed class SessionBillingCallers(KeyBillingCallers keys, AccountGate gate, MemberService members) : IBillingCallers
{
    public async ValueTask<BillingCaller?> IdentifyAsync(HttpContext context)
    {
        IHeaderDictionary headers = context.Request.Headers;
        if (headers.Authorization.Count > 0 || headers["x-api-key"].Count > 0 || context.Request.Query.ContainsKey("Authorization") || !gate.HasSession(context))
            return await keys.IdentifyAsync(context);
        if (await gate.EnterAsync(context) is not { } session)
            return null;
        string named = headers["X-Glimmer-Account"].ToString() is { Length: > 0 } header ? header : context.Request.Query["account"].ToString();
        IReadOnlyList<Membership> all = await members.OfUserAsync(session.Session.User.Id);
        Membership? membership = named.Length > 0 ? all.FirstOrDefault(one => one.Account.PublicId == named) : all.Count == 1 ? all[0] : null;
        if (membership is not null)
            return new BillingCaller(membership.Account.PublicId, MayPay: membership.Role is AccountRole.Owner or AccountRole.Billing);
        await ErrorResponse.WriteAsync(context, AccountGate.NoAccount(named.Length > 0));
        return null;
    }
}
