using Glimmer.Engine.Speculation;

namespace Glimmer.Engine.Tests.Speculation;

public sealed class NGramDraftTests
{
    [Fact]
    public void Reads_on_from_the_latest_place_where_the_last_tokens_occurred()
    {
        int[] guesses = new int[3];
        Assert.Equal(3, new NGramDraft(2).Guess([1, 2, 3, 4, 9, 1, 2, 7, 8, 5, 1, 2], guesses));
        Assert.Equal([7, 8, 5], guesses);
        Assert.Equal(0, new NGramDraft(2).Guess([1, 2, 3, 4], guesses));
        Assert.Equal(0, new NGramDraft(2).Guess([1], guesses));
        Assert.Equal(0, new NGramDraft(2).Guess([1, 2, 1, 2], []));
    }

    [Fact]
    public void Rests_when_it_is_wrong_too_often_and_tries_again_later()
    {
        NGramDraft draft = new(2);
        int[] guesses = new int[3];
        for (int i = 0; i < 20 && !draft.IsResting; i++)
        {
            Assert.True(draft.Guess([1, 2, 3, 1, 2], guesses) > 0);
            draft.Learn(3, 0);
        }

        Assert.True(draft.IsResting);
        int pauses = 0;
        while (draft.Guess([1, 2, 3, 1, 2], guesses) == 0)
            pauses++;
        Assert.InRange(pauses, 10, 1000);
    }
}
