using System.Numerics;

namespace Glimmer.Engine.Speculation;

/// <summary>
/// Decides by measurement whether the draft layer pays: tries some passes with it and some without, goes on with what made
/// tokens faster, and tries again later. Kept apart by the number of running answers, since with many of them the
/// processor is busy without guesses.
/// </summary>
internal sealed class SpeculationTrial
{
    /// <summary>Passes measured with the draft layer, and as many without.</summary>
    public const int TrialPasses = 24;

    /// <summary>Passes between two trials.</summary>
    public const int SettledPasses = 512;

    private readonly Course[] _courses = new Course[12];

    /// <summary>Whether the next pass, with so many running answers, should feed the draft layer.</summary>
    public bool Wants(int running)
    {
        ref Course course = ref _courses[BitOperations.Log2((uint)running)];
        return course.Pass < TrialPasses || (course.Pass >= 2 * TrialPasses && course.Won);
    }

    /// <summary>Notes a pass that computed answers only.</summary>
    /// <param name="running">Running answers.</param>
    /// <param name="ticks">How long it took.</param>
    /// <param name="tokens">Tokens it made.</param>
    public void Note(int running, long ticks, int tokens)
    {
        ref Course course = ref _courses[BitOperations.Log2((uint)running)];
        if (course.Pass < TrialPasses)
        {
            course.TicksWith += ticks;
            course.TokensWith += tokens;
        }
        else if (course.Pass < 2 * TrialPasses)
        {
            course.TicksWithout += ticks;
            course.TokensWithout += tokens;
        }

        course.Pass++;
        if (course.Pass == 2 * TrialPasses)
            course.Won = (double)course.TicksWith * course.TokensWithout < (double)course.TicksWithout * course.TokensWith;
        if (course.Pass >= 2 * TrialPasses + SettledPasses)
            course = default;
    }

    private struct Course
    {
        public int Pass;
        public long TicksWith, TicksWithout, TokensWith, TokensWithout;
        public bool Won;
    }
}
