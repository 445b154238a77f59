namespace Glimmer.Engine.Speculation;

/// <summary>
/// Guesses the next tokens by finding the last few in the text so far and reading on from there. Measures how often it
/// is right and rests when that is too rare to pay for the extra rows.
/// </summary>
internal sealed class NGramDraft
{
    private const int LongestKey = 4;
    private const int ShortestKey = 2;
    private const int SearchWindow = 8192;
    private const int Rest = 64;
    private float _acceptance = 0.5f;
    private int _resting;

    /// <summary>Whether it currently makes no guesses.</summary>
    public bool IsResting => _resting > 0;

    /// <summary>Writes guesses for what follows <paramref name="tokens"/> and returns how many.</summary>
    public int Guess(ReadOnlySpan<int> tokens, Span<int> guesses)
    {
        if (guesses.IsEmpty)
            return 0;
        if (_resting > 0)
        {
            // Coming back, it gets a little credit: enough for a few tries.
            if (--_resting == 0)
                _acceptance = 0.3f;
            return 0;
        }

        ReadOnlySpan<int> window = tokens.Length > SearchWindow ? tokens[^SearchWindow..] : tokens;
        for (int key = LongestKey; key >= ShortestKey; key--)
        {
            if (window.Length <= key)
                continue;
            int at = window[..^1].LastIndexOf(window[^key..]);
            if (at < 0)
                continue;
            ReadOnlySpan<int> next = window[(at + key)..];
            int count = Math.Min(next.Length, guesses.Length);
            next[..count].CopyTo(guesses);
            return count;
        }

        return 0;
    }

    /// <summary>Learns how many guesses of a pass were right.</summary>
    public void Learn(int guessed, int right)
    {
        if (guessed == 0)
            return;
        _acceptance += ((float)right / guessed - _acceptance) * 0.15f;
        if (_acceptance < 0.2f)
            _resting = Rest;
    }
}
