using Glimmer.Engine.Speculation;

namespace Glimmer.Engine.Tests.Speculation;

public sealed class SpeculationTrialTests
{
    [Theory]
    [InlineData(15, true)]
    [InlineData(25, false)]
    public void Goes_on_with_what_made_tokens_faster_and_tries_again(long ticksWith, bool wins)
    {
        SpeculationTrial trial = new();
        int with = Run(trial, SpeculationTrial.TrialPasses, ticksWith), without = Run(trial, SpeculationTrial.TrialPasses, ticksWith);
        int settled = Run(trial, SpeculationTrial.SettledPasses, ticksWith);

        Assert.Equal((SpeculationTrial.TrialPasses, 0), (with, without));
        Assert.Equal(wins ? SpeculationTrial.SettledPasses : 0, settled);
        Assert.True(trial.Wants(2));
        // Other numbers of answers have trials of their own.
        Assert.True(trial.Wants(8));
    }

    /// <summary>Two tokens a pass with the layer, one without at 10 ticks; returns how often it was wanted.</summary>
    private static int Run(SpeculationTrial trial, int passes, long ticksWith)
    {
        int wanted = 0;
        for (int i = 0; i < passes; i++)
        {
            bool wants = trial.Wants(2);
            wanted += wants ? 1 : 0;
            trial.Note(2, wants ? ticksWith : 10, wants ? 2 : 1);
        }

        return wanted;
    }
}
