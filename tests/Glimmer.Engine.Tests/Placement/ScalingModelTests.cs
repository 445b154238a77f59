using Glimmer.Engine.Placement;

namespace Glimmer.Engine.Tests.Placement;

public sealed class ScalingModelTests
{
    [Fact]
    public void The_page_shows_the_tables_that_the_formulas_give()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Glimmer.slnx")))
            folder = Path.GetDirectoryName(folder);
        string page = File.ReadAllText(Path.Combine(folder!, "docs", "designs", "scaling.md")).ReplaceLineEndings("\n");
        Assert.Contains(ScalingModel.Table(ScalingModel.ReferenceMachine, ScalingModel.ReferenceModels), page, StringComparison.Ordinal);
    }

    [Fact]
    public void Bandwidth_ends_at_the_sockets_and_near_memory_is_faster()
    {
        MachineModel machine = new(10, 100, 50, 0.5, 0);
        Assert.Equal(10e9, ScalingModel.Bandwidth(machine, 1, 1, true), 1.0);
        Assert.Equal(100e9, ScalingModel.Bandwidth(machine, 64, 1, true), 1.0);
        Assert.Equal(200e9, ScalingModel.Bandwidth(machine, 64, 2, true), 1.0);
        // Half of the bytes at full speed, half at half of it: 1 / (0.5 + 1) of twice.
        Assert.Equal(200e9 / 1.5, ScalingModel.Bandwidth(machine, 64, 2, false), 1.0);
    }

    [Fact]
    public void A_pass_is_bound_by_memory_with_few_tokens_and_by_arithmetic_with_many()
    {
        MachineModel machine = new(10, 100, 50, 0.5, 1);
        WorkModel work = new("x", 5, 10, 100, 0);
        Assert.Equal(0.5, ScalingModel.PassSeconds(machine, work, 1, 1, true, 1, 0), 6);
        Assert.Equal(40, ScalingModel.PassSeconds(machine, work, 1, 1, true, 100, 0), 6);
        Assert.Equal(0.5 + 8 * 1000 * 100e3 / 10e9, ScalingModel.PassSeconds(machine with { CoreGigaOperations = 1e6 }, work, 1, 1, true, 8, 1000), 6);
        Assert.Equal(0.25 + 1e-6 * 100, ScalingModel.PassSeconds(machine, work with { Operations = 100 }, 2, 1, true, 1, 0), 6);
    }
}
