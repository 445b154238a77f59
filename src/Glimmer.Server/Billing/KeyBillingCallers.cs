using Glimmer.Platform.Admission;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Billing;

/// <summary>Callers by their API key: it reads and recharges its own account.</summary>
internal sealed class KeyBillingCallers(RequestGate gate, ICallerPolicy callers) : IBillingCallers
{
    public async ValueTask<BillingCaller?> IdentifyAsync(HttpContext context) =>
        await gate.AuthenticateAsync(context) is { } key ? new BillingCaller(callers.Find(key).AccountId, MayPay: true) : null;
}
