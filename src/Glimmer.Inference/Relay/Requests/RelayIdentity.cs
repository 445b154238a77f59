using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Inference.Relay.Requests;

/// <summary>What a service is told of a request's origin.</summary>
/// <param name="RequestId">A fresh id, told in the log too.</param>
/// <param name="UserId">Who asks, without saying who it is; null for nobody.</param>
internal readonly record struct RelayIdentity(string RequestId, string? UserId)
{
    /// <summary>The identity of a new request. Users are told apart by a digest that only the holder of the service's key could make.</summary>
    /// <param name="tenant">Who asks; empty for nobody.</param>
    /// <param name="secret">Key of the digest.</param>
    public static RelayIdentity New(string tenant, string secret) => new(
        "glimmer-" + Guid.CreateVersion7().ToString("N"),
        tenant.Length == 0 ? null : "u-" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(tenant)).AsSpan(0, 16)));
}
