using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Glimmer.Testing;

/// <summary>Waits for what follows by itself. How long it may take costs time only where it never comes, so it is ample: the machine may have other work.</summary>
public static class Eventually
{
    /// <summary>How long something may be in coming.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>What comes, one after the other, each within <see cref="Patience"/>: a stream that stands still fails its test and does not hang the suite.</summary>
    /// <exception cref="TimeoutException">The next one never came.</exception>
    public static async IAsyncEnumerable<T> EachAsync<T>(IAsyncEnumerable<T> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        IAsyncEnumerator<T> each = items.GetAsyncEnumerator();
        while (await each.MoveNextAsync().AsTask().WaitAsync(Patience))
            yield return each.Current;
        await each.DisposeAsync();
    }

    /// <summary>Waits until a condition was seen to hold, once.</summary>
    /// <param name="condition">The condition.</param>
    /// <param name="said">Its words.</param>
    /// <exception cref="TimeoutException">It never held.</exception>
    public static async Task HoldsAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string said = "")
    {
        ArgumentNullException.ThrowIfNull(condition);
        await HoldsAsync(() => Task.FromResult(condition()), said);
    }

    /// <inheritdoc cref="HoldsAsync(Func{bool}, string)"/>
    public static async Task HoldsAsync(Func<Task<bool>> condition, [CallerArgumentExpression(nameof(condition))] string said = "")
    {
        ArgumentNullException.ThrowIfNull(condition);
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            if (watch.Elapsed > Patience)
                throw new TimeoutException($"For {Patience.TotalSeconds} s it did not come to this: {said}");
            await Task.Delay(5);
        }
    }
}
