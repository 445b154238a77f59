using Glimmer.Kernels;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Architectures;
using Glimmer.Models.Loading;
using Glimmer.Models.Tests.Weights;
using Glimmer.Models.Weights;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Loading;

public sealed class MemoryPlanTests
{
    public static TheoryData<string> Cases() => Architectures.InvarianceTests.Cases();

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_plan_says_what_loading_and_running_take(string name)
    {
        string path = Fixtures.Path("text", name);
        foreach (BlockFormat? format in (BlockFormat?[])[null, BlockFormat.BF16])
        {
            LoadOptions options = new() { QuantiseTo = format };
            MemoryPlan plan = ModelLoader.Plan(path, options, contextTokens: 200, sequences: 3, batchTokens: 64);
            ModelFiles files = ModelFiles.Open(path);
            using IWeightSource source = files.Logical;
            CheckpointTensors tensors = new(source, files.Names, format);
            using DecoderModel model = new(files.Architecture, files.Config, tensors, draft: true);
            Assert.Equal(tensors.MappedBytes, plan.MappedWeightBytes);
            Assert.Equal(tensors.CopiedBytes, plan.CopiedWeightBytes);
            Assert.Equal(model.KvLayout.BytesPerToken(model.KvFormat), plan.CacheBytesPerToken);
            Assert.Equal(model.KvLayout.StateWidth * 4, plan.StateBytesPerSequence);
            Assert.Equal(3 * (200 * plan.CacheBytesPerToken + plan.StateBytesPerSequence), plan.CacheBytes);

            if (format is not null)
                continue;
            int[] tokens = [.. Enumerable.Range(0, 200).Select(i => i % model.Description.VocabularySize)];
            using ModelRunner runner = new(model, 200, pageTokens: 16, threads: 2);
            for (int start = 0; start < 200; start += 64)
            {
                runner.Batch.Clear();
                runner.Add(0, tokens.AsMemory(start, Math.Min(64, 200 - start)), start, LogitsWanted.Last);
                runner.Run();
            }

            Assert.InRange(model.ScratchBytes, 1, plan.ScratchBytes);
        }
    }

    [Fact]
    public void Weights_rearranged_for_rounded_activations_are_counted()
    {
        LoadOptions options = new() { Activations = ActivationMode.Int8 };
        MemoryPlan plan = ModelLoader.Plan(Fixtures.BundledModel, options, 100, 1, 16);
        ModelFiles files = ModelFiles.Open(Fixtures.BundledModel);
        using IWeightSource source = files.Logical;
        CheckpointTensors tensors = new(source, files.Names, null, ActivationMode.Int8);
        using DecoderModel model = new(files.Architecture, files.Config, tensors, draft: true, ActivationMode.Int8);
        Assert.Equal((tensors.CopiedBytes, tensors.PackedBytes), (plan.CopiedWeightBytes, plan.PackedWeightBytes));
        Assert.Equal(plan.MappedWeightBytes + plan.CopiedWeightBytes + plan.PackedWeightBytes, plan.WeightBytes);
        Assert.Contains("rearranged copies", plan.ToString(), StringComparison.Ordinal);
        Assert.Equal(tensors.MappedBytes, plan.MappedWeightBytes);

        // The copies stand in for the stored form, which is then not needed in memory.
        MemoryPlan exact = ModelLoader.Plan(Fixtures.BundledModel, null, 100, 1, 16);
        Assert.InRange(plan.WeightBytes, exact.WeightBytes, exact.WeightBytes * 11 / 10);
        Assert.True(plan.MappedWeightBytes < exact.MappedWeightBytes / 2);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Weights_that_are_copied_count_as_such_and_give_the_same_numbers(string name)
    {
        string path = Fixtures.Path("text", name);
        MemoryPlan mapped = ModelLoader.Plan(path, null, 16, 1, 16), copied = ModelLoader.Plan(path, new LoadOptions { Mapped = false }, 16, 1, 16);
        Assert.Equal((0L, mapped.WeightBytes), (copied.MappedWeightBytes, copied.CopiedWeightBytes));
        int[] tokens = [.. Enumerable.Range(3, 16)];
        using LoadedModel usual = ModelLoader.Load(path), own = ModelLoader.Load(path, new LoadOptions { Mapped = false });
        using ModelRunner one = new(usual.Model, 16), other = new(own.Model, 16);
        Assert.Equal(one.Chunked(0, tokens), other.Chunked(0, tokens));
    }

    [Fact]
    public void A_copied_model_outlives_what_happens_to_its_file()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows does not let a mapped file be cut short.");
        using TemporaryFolder folder = new();
        string path = folder.File("m.gguf");
        File.Copy(Fixtures.BundledModel, path);
        using LoadedModel model = ModelLoader.Load(path, new LoadOptions { Mapped = false }), other = ModelLoader.Load(Fixtures.BundledModel);
        using (FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(100);
        using ModelRunner one = new(model.Model, 16), two = new(other.Model, 16);
        int[] tokens = [.. Enumerable.Range(3, 16)];
        Assert.Equal(two.Chunked(0, tokens), one.Chunked(0, tokens));
    }

    [Theory]
    [InlineData(BlockFormat.Q8_0)]
    [InlineData(BlockFormat.Q4_0)]
    public void Weights_quantised_and_rearranged_are_counted_once(BlockFormat format)
    {
        string path = Fixtures.Path("text", "glm");
        MemoryPlan plan = ModelLoader.Plan(path, new LoadOptions { QuantiseTo = format, Activations = ActivationMode.Int8 }, 100, 1, 16);
        ModelFiles files = ModelFiles.Open(path);
        using IWeightSource source = files.Logical;
        CheckpointTensors tensors = new(source, files.Names, format, ActivationMode.Int8);
        using DecoderModel model = new(files.Architecture, files.Config, tensors, draft: true, ActivationMode.Int8);
        Assert.Equal(tensors.CopiedBytes, plan.CopiedWeightBytes);
        Assert.Equal(tensors.MappedBytes, plan.MappedWeightBytes);
        Assert.Equal(tensors.PackedBytes, plan.PackedWeightBytes);
        MemoryPlan exact = ModelLoader.Plan(path, new LoadOptions { QuantiseTo = format }, 100, 1, 16);
        Assert.InRange(plan.CopiedWeightBytes + plan.PackedWeightBytes, exact.CopiedWeightBytes / 2, exact.CopiedWeightBytes * 3 / 2);
    }

    [Fact]
    public void A_budget_that_is_too_small_is_refused_with_the_context_that_fits()
    {
        MemoryPlan plan = ModelLoader.Plan(Fixtures.BundledModel, null, contextTokens: 32768, sequences: 4, batchTokens: 256);
        plan.Require(plan.TotalBytes);
        Assert.Equal(32768, plan.LargestContext(plan.TotalBytes));
        long budget = 200L << 20;
        int fits = plan.LargestContext(budget);
        Assert.InRange(fits, 1, 32767);
        Assert.True(ModelLoader.Plan(Fixtures.BundledModel, null, fits, 4, 256).TotalBytes <= budget);
        Assert.True(ModelLoader.Plan(Fixtures.BundledModel, null, fits + 1, 4, 256).TotalBytes > budget);
        ModelFileException fault = Assert.Throws<ModelFileException>(() => plan.Require(budget));
        Assert.Contains($"the largest context that fits is {fits} tokens for 4 sequences", fault.Message, StringComparison.Ordinal);
        Assert.Contains("200.0 MiB may be used", fault.Message, StringComparison.Ordinal);
        Assert.Contains("the weights alone do not fit", Assert.Throws<ModelFileException>(() => plan.Require(1 << 20)).Message, StringComparison.Ordinal);
        Assert.Equal(0, plan.LargestContext(1 << 20));
    }
}
