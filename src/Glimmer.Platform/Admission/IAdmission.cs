using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Admission;

/// <summary>What wants to run.</summary>
/// <param name="Key">Whose request it is.</param>
/// <param name="Model">Model code as the catalogue spells it.</param>
public readonly record struct AdmissionRequest(AccessKey Key, string Model);

/// <summary>A place in flight, or why there is none.</summary>
/// <param name="Lease">The place; dispose it when the request has ended.</param>
/// <param name="Error">1302 or 1305.</param>
public readonly record struct AdmissionResult(IDisposable? Lease, PlatformError? Error);

/// <summary>Decides who may run now. Reads and writes memory only.</summary>
public interface IAdmission
{
    /// <summary>Requests in flight.</summary>
    int InFlight { get; }

    /// <summary>Takes a place in flight, waiting for one where the implementation has a queue.</summary>
    ValueTask<AdmissionResult> EnterAsync(in AdmissionRequest request, CancellationToken cancel);
}
