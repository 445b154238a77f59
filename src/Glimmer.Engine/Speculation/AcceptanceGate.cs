namespace Glimmer.Engine.Speculation;

/// <summary>
/// Watches how many guesses of a kind prove right and closes for a while when too few do: a wrong guess costs a row of
/// the next pass and gains nothing.
/// </summary>
/// <param name="rest">How many times it stays closed before it tries again.</param>
internal sealed class AcceptanceGate(int rest)
{
    private const float Least = 0.2f;
    private const float Pace = 0.1f;

    // A little credit, so that it takes some failures to close at first, and fewer after a rest.
    private float _acceptance = 0.5f;
    private int _resting;

    /// <summary>Whether it is closed now.</summary>
    public bool IsResting => _resting > 0;

    /// <summary>Whether a guess is worth while now; while it rests, every question shortens the rest.</summary>
    public bool TryPass()
    {
        if (_resting == 0)
            return true;
        if (--_resting == 0)
            _acceptance = 0.3f;
        return false;
    }

    /// <summary>Learns how many guesses of a pass were right.</summary>
    public void Learn(int guessed, int right)
    {
        if (guessed == 0)
            return;
        _acceptance += ((float)right / guessed - _acceptance) * Pace;
        if (_acceptance < Least)
            _resting = rest;
    }
}
