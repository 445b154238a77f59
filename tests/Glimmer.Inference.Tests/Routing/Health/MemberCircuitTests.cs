using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Health;
using Glimmer.Inference.Tests.Embedded.Hosting;

namespace Glimmer.Inference.Tests.Routing.Health;

public sealed class MemberCircuitTests
{
    private static readonly EjectOptions _options = new() { Failures = 3, Rate = 0.5, Samples = 10, Time = TimeSpan.FromSeconds(10), LongestTime = TimeSpan.FromSeconds(35) };
    private readonly ManualTime _time = new();

    [Fact]
    public void Failures_in_a_row_open_it_and_a_trial_closes_it()
    {
        MemberCircuit circuit = new(_time);
        Assert.False(Fail(circuit));
        Assert.False(Fail(circuit));
        circuit.Succeed(trial: false);
        Assert.False(Fail(circuit));
        Assert.False(Fail(circuit));
        Assert.True(Fail(circuit));
        Assert.Equal((CircuitState.Open, false), (circuit.State, circuit.Allows));
        Assert.Contains("3 requests in a row", circuit.Why, StringComparison.Ordinal);
        Assert.False(circuit.TryPass(out _));
        _time.Advance(TimeSpan.FromSeconds(9.9));
        Assert.False(circuit.Allows);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal((CircuitState.HalfOpen, true), (circuit.State, circuit.Allows));

        // One goes through, not two.
        Assert.True(circuit.TryPass(out bool trial));
        Assert.True(trial);
        Assert.False(circuit.Allows);
        Assert.False(circuit.TryPass(out _));
        Assert.True(circuit.Succeed(trial: true));
        Assert.Equal(CircuitState.Closed, circuit.State);
        Assert.True(circuit.TryPass(out trial));
        Assert.False(trial);
    }

    [Fact]
    public void A_trial_that_fails_opens_it_for_longer_up_to_a_bound()
    {
        MemberCircuit circuit = new(_time);
        Open(circuit);
        foreach (int seconds in (int[])[20, 35, 35])
        {
            _time.Advance(circuit.TimeLeft);
            Assert.True(circuit.TryPass(out bool trial) && trial);
            Assert.True(circuit.Fail(trial, _options, () => false));
            Assert.Equal(TimeSpan.FromSeconds(seconds), circuit.TimeLeft);
        }

        Assert.Equal(4, circuit.Openings);

        // Closed for long, it begins again with the shortest time; closed for a moment, it goes on.
        Close(circuit);
        Open(circuit);
        Assert.Equal(TimeSpan.FromSeconds(35), circuit.TimeLeft);
        Close(circuit);
        _time.Advance(TimeSpan.FromSeconds(36));
        Open(circuit);
        Assert.Equal(TimeSpan.FromSeconds(10), circuit.TimeLeft);
    }

    [Fact]
    public void A_trial_that_says_nothing_lets_another_be_made()
    {
        MemberCircuit circuit = new(_time);
        Open(circuit);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.True(circuit.TryPass(out _));
        circuit.Abandon();
        Assert.Equal(CircuitState.HalfOpen, circuit.State);
        Assert.True(circuit.TryPass(out bool trial) && trial);
    }

    [Fact]
    public void A_share_of_failures_opens_it_once_there_are_enough()
    {
        MemberCircuit circuit = new(_time);
        for (int i = 0; i < 4; i++)
        {
            circuit.Succeed(trial: false);
            Assert.False(Fail(circuit));
        }

        circuit.Succeed(trial: false);
        Assert.True(Fail(circuit));
        Assert.Contains("5 of its last 10", circuit.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void The_window_forgets_and_few_failures_among_many_are_nothing()
    {
        MemberCircuit circuit = new(_time);
        for (int i = 0; i < 10_000; i++)
        {
            circuit.Succeed(trial: false);
            circuit.Succeed(trial: false);
            Assert.False(Fail(circuit));
        }

        Assert.Equal(CircuitState.Closed, circuit.State);
    }

    [Fact]
    public void It_stays_closed_where_it_may_not_open_and_late_outcomes_do_not_matter()
    {
        MemberCircuit circuit = new(_time);
        for (int i = 0; i < 100; i++)
            Assert.False(circuit.Fail(false, _options, () => false));
        Assert.Equal(CircuitState.Closed, circuit.State);
        Assert.True(Fail(circuit));
        Assert.False(circuit.Succeed(trial: false));
        Assert.False(Fail(circuit));
        Assert.Equal(CircuitState.Open, circuit.State);
        circuit.Reset();
        Assert.Equal(CircuitState.Closed, circuit.State);
        Assert.False(Fail(circuit));
    }

    private static bool Fail(MemberCircuit circuit) => circuit.Fail(false, _options, () => true);

    private static void Open(MemberCircuit circuit)
    {
        while (!Fail(circuit))
        {
            // Until it opens.
        }
    }

    private void Close(MemberCircuit circuit)
    {
        _time.Advance(circuit.TimeLeft);
        Assert.True(circuit.TryPass(out bool trial));
        circuit.Succeed(trial);
    }
}
