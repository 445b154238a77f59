namespace Glimmer.Engine.Speculation;

/// <summary>
/// Watches how many guesses of a kind prove right and closes for a while when too few do: a wrong guess costs a row of
/// the next pass and gains nothing.
/// </summary>
/// <param name="rest">How many times it stays closed before it tries again.</param>
internal sealed class AcceptanceGate(int rest)
{
    /// <summary>Acceptance below which guesses lose when their cost was not measured.</summary>
    public const float UsualLeast = 0.2f;

    private const float Pace = 0.1f;
    private const float Credit = 0.1f;

    // A little credit, so that it takes some failures to close at first, and fewer after a rest.
    private float _acceptance = 0.5f;
    private float _least = UsualLeast;
    private int _resting;

    /// <summary>Whether it is closed now.</summary>
    public bool IsResting => _resting > 0;

    /// <summary>Whether a guess is worth while now; while it rests, every question shortens the rest.</summary>
    public bool TryPass()
    {
        if (_resting == 0)
            return true;
        if (--_resting == 0)
            _acceptance = _least + Credit;
        return false;
    }

    /// <summary>Learns how many guesses of a pass were right.</summary>
    /// <param name="guessed">Guesses of the pass.</param>
    /// <param name="right">How many of them were right.</param>
    /// <param name="least">Share of right guesses at which they neither gain nor lose.</param>
    public void Learn(int guessed, int right, float least)
    {
        if (guessed == 0)
            return;
        _least = least;
        _acceptance += ((float)right / guessed - _acceptance) * Pace;
        if (_acceptance < least)
            _resting = rest;
    }
}
