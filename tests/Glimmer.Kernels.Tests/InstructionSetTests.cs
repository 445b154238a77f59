namespace Glimmer.Kernels.Tests;

public class InstructionSetTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("  ")]
    public void Nothing_requested_means_the_best(string? requested)
    {
        Assert.Null(InstructionSets.TrySelect(requested, out InstructionSet chosen));
        Assert.Equal(InstructionSets.Best, chosen);
        Assert.True(InstructionSets.IsSupported(chosen));
    }

    [Theory]
    [InlineData("scalar")]
    [InlineData("Scalar ")]
    public void Scalar_can_always_be_requested(string requested)
    {
        Assert.Null(InstructionSets.TrySelect(requested, out InstructionSet chosen));
        Assert.Equal(InstructionSet.Scalar, chosen);
    }

    [Theory]
    [InlineData("sse9")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("99")]
    [InlineData("scalar,avx2")]
    public void An_unknown_name_is_refused_with_the_legal_ones(string requested)
    {
        string? fault = InstructionSets.TrySelect(requested, out _);
        Assert.NotNull(fault);
        Assert.Contains(requested, fault, StringComparison.Ordinal);
        Assert.Contains("scalar", fault, StringComparison.Ordinal);
        Assert.Contains(InstructionSets.EnvironmentVariable, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_set_that_the_machine_lacks_is_refused()
    {
        foreach (InstructionSet set in Enum.GetValues<InstructionSet>())
        {
            string? fault = InstructionSets.TrySelect(set.ToString(), out InstructionSet chosen);
            if (InstructionSets.IsSupported(set))
            {
                Assert.Null(fault);
                Assert.Equal(set, chosen);
            }
            else
            {
                Assert.Contains("does not support", fault, StringComparison.Ordinal);
            }
        }
    }
}
