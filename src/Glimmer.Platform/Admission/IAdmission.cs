using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Admission;

/// <summary>What wants to run.</summary>
/// <param name="Key">Whose request it is.</param>
/// <param name="Model">Model code as the catalogue spells it.</param>
public readonly record struct AdmissionRequest(AccessKey Key, string Model)
{
    /// <summary>The account; null when the key stands for itself.</summary>
    public string? Account { get; init; }

    /// <summary>Requests of this model that the account's tier may have in flight; 0 for no limit.</summary>
    public int ModelLimit { get; init; }

    /// <summary>Whether a plan pays: then <see cref="PlanLimit"/> counts, and overload of the platform is 1312.</summary>
    public bool Plan { get; init; }

    /// <summary>Requests that the plan may have in flight; 0 for no limit.</summary>
    public int PlanLimit { get; init; }

    /// <summary>Work it brings, in tokens, for sharing places fairly; 0 counts as an average request.</summary>
    public int Cost { get; init; }

    /// <summary>Another model to name when this one is overloaded; null for none.</summary>
    public string? Alternative { get; init; }
}

/// <summary>A place in flight, or why there is none.</summary>
/// <param name="Lease">The place; dispose it when the request has ended.</param>
/// <param name="Error">1302, 1305 or 1312.</param>
public readonly record struct AdmissionResult(IDisposable? Lease, PlatformError? Error)
{
    /// <summary>Place in the line on arrival, 1 for the next one; 0 when it did not wait.</summary>
    public int Position { get; init; }
}

/// <summary>Decides who may run now. Reads and writes memory only.</summary>
public interface IAdmission
{
    /// <summary>Requests in flight.</summary>
    int InFlight { get; }

    /// <summary>Requests in the line.</summary>
    int Waiting => 0;

    /// <summary>Takes a place in flight, waiting for one where the implementation has a queue.</summary>
    ValueTask<AdmissionResult> EnterAsync(in AdmissionRequest request, CancellationToken cancel);

    /// <summary>The server stops: whoever waits is sent away, and nobody waits any more.</summary>
    void Drain()
    {
    }
}
