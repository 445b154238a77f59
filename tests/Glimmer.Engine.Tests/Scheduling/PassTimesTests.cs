using Glimmer.Engine.Scheduling;

namespace Glimmer.Engine.Tests.Scheduling;

public sealed class PassTimesTests
{
    [Fact]
    public void Answers_are_measured_alone_before_prompts_may_come_and_again_when_the_measure_is_old()
    {
        PassTimes times = new();
        Assert.Equal(0, times.Budget(4, 2, 0, 0, 16));
        times.Note(4, 0, 1000, 1000);
        Assert.Equal(16, times.Budget(4, 2, 0, 0, 16));
        for (int i = 0; i < PassTimes.Freshness; i++)
        {
            Assert.True(times.Budget(4, 2, 0, 0, 16) > 0);
            times.Note(4, 10, 2000, 2000);
        }

        Assert.Equal(0, times.Budget(4, 2, 0, 0, 16));
        times.Note(4, 0, 1000, 1000);
        Assert.Equal(10, times.Budget(4, 2, 0, 0, 16));
    }

    [Fact]
    public void Unmeasured_numbers_of_rows_never_count_as_slower_than_they_are()
    {
        PassTimes times = new();
        times.Note(2, 0, 1000, 1000);
        times.Note(2, 10, 2000, 2000);
        Assert.Equal(10, times.Budget(8, 2, 0, 0, 16));
        // Five times the room, but never much more than the last time.
        Assert.Equal(13, times.Budget(8, 2, 5000, 0, 16));
        times.Note(2, 40, 5000, 5000);
        Assert.Equal(40, times.Budget(8, 2, 5000, 0, 16));
        Assert.Equal(5, times.Budget(1, 2, 0, 0, 16));
    }

    [Fact]
    public void One_pass_that_was_held_up_changes_little_and_there_is_always_a_token()
    {
        PassTimes times = new();
        for (int i = 0; i < 20; i++)
        {
            times.Note(1, 0, 1000, 1000);
            times.Note(1, 10, 2000, 2000);
        }

        times.Note(1, 0, 1_000_000, 1_000_000);
        Assert.InRange(times.Budget(1, 2, 0, 0, 16), 10, 13);
        times.Note(1, 0, 10, 10);
        Assert.True(times.Budget(1, 1.0001, 0, 0, 16) >= 1);
        Assert.True(times.Budget(1, 2, 0, 5, 16) >= 1);
    }

    [Fact]
    public void Guesses_pay_from_the_share_that_their_rows_cost()
    {
        PassTimes times = new();
        Assert.Equal(-1, times.BreakEven(1, 3));
        times.Note(1, 0, 1000, 1000);
        times.Note(4, 0, 1900, 1900);
        // Three rows more take 90 % longer: 0.9 tokens of 3 guesses must be right.
        Assert.Equal(0.3, times.BreakEven(1, 3), 6);
        times.Note(2, 0, 1000, 1000);
        Assert.Equal(0.05, times.BreakEven(1, 1), 6);
    }

    [Fact]
    public void Passes_without_running_answers_teach_nothing()
    {
        PassTimes times = new();
        times.Note(0, 512, 1_000_000, 1_000_000);
        Assert.Equal(0, times.PerPromptToken);
    }
}
