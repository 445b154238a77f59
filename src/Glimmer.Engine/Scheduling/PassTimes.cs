namespace Glimmer.Engine.Scheduling;

/// <summary>
/// What passes cost, as measured: passes of running answers alone, by their rows, and what each prompt token adds. From it
/// follows how many prompt tokens may go beside running answers. It decides when a token comes, never which.
/// </summary>
internal sealed class PassTimes
{
    /// <summary>Passes beside prompts after which one goes without, so that the measure of the answers alone stays fresh.</summary>
    public const int Freshness = 64;

    private const int MostRows = 1024;
    private const double Pace = 0.2;

    // A pass that the system held up must not count as what passes take.
    private const double Outlier = 3;
    private readonly double[] _alone = new double[MostRows + 1];
    private double _perPromptToken;
    private int _sinceAlone;
    private int _lastPromptTokens;
    private readonly double[] _computed = new double[MostRows + 1];

    /// <summary>Ticks that a prompt token adds to a pass; 0 when none was measured.</summary>
    public double PerPromptToken => _perPromptToken;

    /// <summary>Notes a pass.</summary>
    /// <param name="rows">Rows of running answers, guesses included.</param>
    /// <param name="promptTokens">Prompt tokens beside them.</param>
    /// <param name="ticks">How long it took.</param>
    /// <param name="computed">Of that, what the rows took, without making guesses for the next pass.</param>
    public void Note(int rows, int promptTokens, long ticks, long computed)
    {
        if (rows == 0)
            return;
        rows = Math.Min(rows, MostRows);
        ticks = Math.Max(1, ticks);
        _sinceAlone++;
        if (promptTokens == 0)
        {
            _alone[rows] = Blend(_alone[rows], ticks);
            _computed[rows] = Blend(_computed[rows], Math.Max(1, computed));
            _sinceAlone = 0;
            return;
        }

        _lastPromptTokens = promptTokens;
        if (Alone(rows) is > 0 and var alone)
        {
            // Never nothing: a pass that was quick by chance must not open the door to any number of tokens.
            _perPromptToken = Blend(_perPromptToken, Math.Max(ticks - alone, 0.01 * ticks) / promptTokens);
        }
    }

    /// <summary>
    /// How many prompt tokens the next pass beside running answers should have: 0 when their own time must be measured first.
    /// </summary>
    /// <param name="rows">Rows of running answers, at least 1.</param>
    /// <param name="ratio">How many times as long as without prompts it may take, above 1.</param>
    /// <param name="leastTicks">How long it may take in any case.</param>
    /// <param name="limitTicks">How long it may take at most; 0 for no limit.</param>
    /// <param name="usual">Tokens to begin with, before anything was measured.</param>
    public int Budget(int rows, double ratio, long leastTicks, long limitTicks, int usual)
    {
        rows = Math.Min(rows, MostRows);
        double alone = Alone(rows);
        if (alone == 0 || _sinceAlone >= Freshness)
            return 0;
        if (_perPromptToken == 0)
            return usual;
        double room = Math.Max(ratio * alone, leastTicks) - alone;
        if (limitTicks > 0)
            room = Math.Min(room, limitTicks - alone);
        // Little by little upwards: what few tokens cost is measured badly beside what the answers take.
        int most = _lastPromptTokens + _lastPromptTokens / 4 + 1;
        return (int)Math.Clamp(room / _perPromptToken, 1, most);
    }

    /// <summary>
    /// Share of right guesses at which they neither gain nor lose: a pass of <paramref name="answers"/> rows makes as many tokens,
    /// one with g guesses more takes T(n+g) instead of T(n), so the g guesses must bring n·(T(n+g)/T(n) − 1) tokens. −1 when it
    /// was not measured.
    /// </summary>
    /// <param name="answers">Running answers n, at least 1.</param>
    /// <param name="guesses">Guesses of all of them together, at least 1.</param>
    public double BreakEven(int answers, int guesses)
    {
        if (answers + guesses > MostRows || _computed[answers] == 0 || _computed[answers + guesses] == 0)
            return -1;
        return Math.Clamp(answers * (_computed[answers + guesses] / _computed[answers] - 1) / guesses, 0.05, 0.95);
    }

    private static double Blend(double known, double ticks) =>
        known == 0 ? ticks : known + (Math.Min(ticks, Outlier * known) - known) * Pace;

    /// <summary>A pass of so many rows alone; as measured, or by the nearest measured number of rows. 0 when nothing was.</summary>
    private double Alone(int rows)
    {
        if (_alone[rows] > 0)
            return _alone[rows];
        // With fewer rows it takes no longer, so that what it follows from this is too few prompt tokens, never too many.
        for (int fewer = rows - 1; fewer > 0; fewer--)
        {
            if (_alone[fewer] > 0)
                return _alone[fewer];
        }

        for (int more = rows + 1; more <= MostRows; more++)
        {
            if (_alone[more] > 0)
                return _alone[more] * rows / more;
        }

        return 0;
    }
}
