namespace Glimmer.Engine.Speculation;

/// <summary>Guesses the next tokens by finding the last few in the text so far and reading on from there.</summary>
/// <param name="shortestKey">How many tokens must agree at least, 1 to 4.</param>
internal sealed class NGramDraft(int shortestKey)
{
    private const int LongestKey = 4;
    private const int SearchWindow = 8192;
    private const int Rest = 64;
    private readonly AcceptanceGate _gate = new(Rest);

    /// <summary>Whether it currently makes no guesses.</summary>
    public bool IsResting => _gate.IsResting;

    /// <summary>Writes guesses for what follows <paramref name="tokens"/> and returns how many.</summary>
    public int Guess(ReadOnlySpan<int> tokens, Span<int> guesses)
    {
        if (guesses.IsEmpty || !_gate.TryPass())
            return 0;
        ReadOnlySpan<int> window = tokens.Length > SearchWindow ? tokens[^SearchWindow..] : tokens;
        for (int key = LongestKey; key >= shortestKey; key--)
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

    /// <summary>Learns how many guesses of a pass were right, and what share of them would have paid.</summary>
    public void Learn(int guessed, int right, float least = AcceptanceGate.UsualLeast) => _gate.Learn(guessed, right, least);
}
