using System.Collections.Concurrent;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Admission;

/// <summary>
/// The simplest admission: so many requests in flight altogether (more is 1305) and so many per key (more is 1302).
/// Nobody waits.
/// </summary>
public sealed class BoundedAdmission : IAdmission
{
    private readonly int _maxOpen;
    private readonly int _maxOpenPerKey;
    private readonly ConcurrentDictionary<string, Counter> _perKey = new(StringComparer.Ordinal);
    private int _open;

    /// <summary>With its two bounds, each at least 1.</summary>
    public BoundedAdmission(int maxOpen, int maxOpenPerKey)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxOpen, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxOpenPerKey, 1);
        _maxOpen = maxOpen;
        _maxOpenPerKey = maxOpenPerKey;
    }

    /// <inheritdoc/>
    public int InFlight => Volatile.Read(ref _open);

    /// <inheritdoc/>
    public ValueTask<AdmissionResult> EnterAsync(in AdmissionRequest request, CancellationToken cancel)
    {
        // The dictionary grows with the keys of the ring, not with what clients send: only known keys come here.
        Counter counter = _perKey.GetOrAdd(request.Key.Id, static _ => new Counter());
        if (Interlocked.Increment(ref counter.Open) > _maxOpenPerKey)
        {
            Interlocked.Decrement(ref counter.Open);
            return new(new AdmissionResult(null, PlatformError.Of(BusinessCode.ConcurrencyExceeded)));
        }

        if (Interlocked.Increment(ref _open) > _maxOpen)
        {
            Interlocked.Decrement(ref _open);
            Interlocked.Decrement(ref counter.Open);
            return new(new AdmissionResult(null, PlatformError.Of(BusinessCode.Overloaded)));
        }

        return new(new AdmissionResult(new Lease(this, counter), null));
    }

    private sealed class Counter
    {
        public int Open;
    }

    private sealed class Lease(BoundedAdmission owner, Counter counter) : IDisposable
    {
        private int _ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) != 0)
                return;
            Interlocked.Decrement(ref counter.Open);
            Interlocked.Decrement(ref owner._open);
        }
    }
}
