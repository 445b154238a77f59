namespace Glimmer.Dialogue.Tests;

/// <summary>Runs a property on many random cases; a failure names the seed that shows it again.</summary>
internal static class Fuzz
{
    /// <summary>Cases of a property: the default, or what <c>GLIMMER_FUZZ_CASES</c> says.</summary>
    public static void Run(int cases, Action<Random> property)
    {
        string? wanted = Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES");
        string? seed = Environment.GetEnvironmentVariable("GLIMMER_FUZZ_SEED");
        int first = seed is null ? 1 : int.Parse(seed);
        int count = seed is not null ? 1 : wanted is null ? cases : int.Parse(wanted);
        for (int i = first; i < first + count; i++)
        {
            try
            {
                property(new Random(i));
            }
            catch (Exception failure)
            {
                throw new InvalidOperationException($"Fails with GLIMMER_FUZZ_SEED={i}: {failure.Message}", failure);
            }
        }
    }
}
