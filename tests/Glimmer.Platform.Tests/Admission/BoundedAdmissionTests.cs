using Glimmer.Platform.Admission;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Tests.Admission;

public sealed class BoundedAdmissionTests
{
    [Fact]
    public async Task Bounds_hold_for_a_key_and_for_all_and_a_lease_ends_once()
    {
        var admission = new BoundedAdmission(maxOpen: 3, maxOpenPerKey: 2);
        IDisposable first = (await Enter(admission, "a")).Lease!;
        Assert.NotNull((await Enter(admission, "a")).Lease);
        Assert.Equal(BusinessCode.ConcurrencyExceeded, (await Enter(admission, "a")).Error!.Code);
        Assert.NotNull((await Enter(admission, "b")).Lease);
        Assert.Equal(BusinessCode.Overloaded, (await Enter(admission, "b")).Error!.Code);
        first.Dispose();
        first.Dispose();
        Assert.Equal(2, admission.InFlight);
        Assert.NotNull((await Enter(admission, "b")).Lease);
        Assert.NotNull((await Enter(admission, "c")).Error);
    }

    [Fact]
    public async Task Bounds_hold_under_contention()
    {
        var admission = new BoundedAdmission(maxOpen: 5, maxOpenPerKey: 4);
        int inside = 0, most = 0;
        await Parallel.ForAsync(0, 2000, async (i, _) =>
        {
            using IDisposable? lease = (await Enter(admission, $"k{i % 3}")).Lease;
            if (lease is null)
                return;
            int now = Interlocked.Increment(ref inside);
            InterlockedMax(ref most, now);
            await Task.Yield();
            Interlocked.Decrement(ref inside);
        });
        Assert.InRange(most, 1, 5);
        Assert.Equal(0, admission.InFlight);
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen = Volatile.Read(ref target);
        while (value > seen && (seen = Interlocked.CompareExchange(ref target, value, seen)) < value)
        {
        }
    }

    private static ValueTask<AdmissionResult> Enter(BoundedAdmission admission, string id) =>
        admission.EnterAsync(new AdmissionRequest(new AccessKey(id, id, default, null, false), "glm-4.7"), default);
}
