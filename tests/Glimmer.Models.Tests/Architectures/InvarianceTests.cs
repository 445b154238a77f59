using Glimmer.Kernels;
using Glimmer.Models.Loading;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Architectures;

/// <summary>
/// Every architecture, bit for bit: neither the cutting of the prompt, nor what else is in the batch, nor pages, nor
/// threads change a logit.
/// </summary>
public sealed class InvarianceTests
{
    public static TheoryData<string> Cases() => [.. Directory.GetDirectories(Fixtures.Path("text")).Select(folder => Path.GetFileName(folder)!).Where(name => !name.EndsWith("-long", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_depend_on_nothing_but_the_tokens_before(string name)
    {
        using LoadedModel loaded = ModelLoader.Load(Fixtures.Path("text", name));
        foreach (KvFormat format in Enum.GetValues<KvFormat>())
            Check(loaded.Model, format);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_cache_in_halves_or_blocks_moves_logits_a_little(string name)
    {
        using LoadedModel loaded = ModelLoader.Load(Fixtures.Path("text", name));
        int[] tokens = Prompt(loaded.Model, 45, seed: 1);
        float[][] logits = [.. Enum.GetValues<KvFormat>().Select(format =>
        {
            using ModelRunner runner = new(loaded.Model, tokens.Length, format: format);
            return runner.Chunked(0, tokens, 20);
        })];
        double size = Math.Sqrt(logits[0].Sum(x => (double)x * x)), half = Distance(logits[0], logits[1]) / size, block = Distance(logits[0], logits[2]) / size;
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: F16 {half:E2}, Q8_0 {block:E2}");

        // Weights drawn by lot choose experts and positions by differences as small as those.
        bool chooses = name.Contains("moe", StringComparison.Ordinal) || name.Contains("glm5", StringComparison.Ordinal);
        Assert.InRange(half, 1e-9, chooses ? 0.3 : 2e-3); // really another path
        Assert.InRange(block, half * 0.99, chooses ? 0.5 : 5e-2);
    }

    private static double Distance(float[] a, float[] b) => Math.Sqrt(a.Zip(b, (x, y) => (double)(x - y) * (x - y)).Sum());

    [Theory]
    [InlineData("glm4moe")]
    [InlineData("glm4moelite")]
    [InlineData("glm-dsa")]
    [InlineData("glm4")]
    [InlineData("chatglm-legacy")]
    public void Nor_do_they_with_rounded_activations(string name)
    {
        string file = Fixtures.Path("gguf", "models", name, $"{name}.q8_0.gguf");
        using LoadedModel loaded = ModelLoader.Load(file, new LoadOptions { Activations = ActivationMode.Int8 });
        Check(loaded.Model);
        using LoadedModel exact = ModelLoader.Load(file);
        int[] tokens = Prompt(exact.Model, 20, seed: 6);
        using ModelRunner rounded = new(loaded.Model, 20), plain = new(exact.Model, 20);
        Assert.NotEqual(plain.Chunked(0, tokens), rounded.Chunked(0, tokens)); // it is really another path
    }

    private static void Check(LanguageModel model, KvFormat format = KvFormat.F32)
    {
        int[] tokens = Prompt(model, 45, seed: 1), other = Prompt(model, 33, seed: 2);
        float[] expected;
        using (ModelRunner plain = new(model, tokens.Length, pageTokens: 64, format: format))
            expected = plain.Chunked(0, tokens);
        Assert.True(expected.Distinct().Count() > 100);

        foreach (int pageTokens in (int[])[1, 7, 16])
        {
            using ModelRunner runner = new(model, 48, pageTokens, threads: 3, shuffled: true, format: format);
            Same(expected, runner.Chunked(0, tokens, 1, 2, 9, 25, 26, 40));
            Same(expected, runner.Chunked(0, tokens, 13));
        }

        using (ModelRunner single = new(model, tokens.Length, 4, format: format))
            Same(expected, single.Chunked(0, tokens, [.. Enumerable.Range(1, tokens.Length - 1)]));

        using ModelRunner batch = new(model, 48, pageTokens: 5, threads: 2, sequences: 3, shuffled: true, format: format);
        float[] logits = new float[expected.Length];
        int vocabulary = model.Description.VocabularySize;
        (int Start, int End)[] steps = [(0, 20), (20, 21), (21, 45)];
        for (int i = 0; i < steps.Length; i++)
        {
            (int start, int end) = steps[i];
            batch.Batch.Clear();
            batch.Add(2, other.AsMemory(i * 11, 11), i * 11, LogitsWanted.Last);
            int chunk = batch.Add(1, tokens.AsMemory(start, end - start), start);
            batch.Add(0, other.AsMemory(i * 3, 3), i * 3, LogitsWanted.None);
            batch.Run();
            for (int row = start; row < end; row++)
                batch.Batch.Logits(chunk, row - start, vocabulary).CopyTo(logits.AsSpan(row * vocabulary));
        }

        Same(expected, logits);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_decode_step_allocates_nothing(string name)
    {
        using LoadedModel loaded = ModelLoader.Load(Fixtures.Path("text", name));
        int[] tokens = Prompt(loaded.Model, 40, seed: 3);
        using ModelRunner runner = new(loaded.Model, 64, threads: 1, format: KvFormat.F16);
        runner.Chunked(0, tokens, 20, 21, 22);
        Assert.Equal(0, Allocation.Least(() =>
        {
            for (int position = 40; position < 44; position++)
            {
                runner.Batch.Clear();
                runner.Add(0, tokens.AsMemory(position - 40, 1), position, LogitsWanted.Last);
                runner.Run();
            }
        }));
    }

    private static int[] Prompt(LanguageModel model, int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(model.Description.VocabularySize))];
    }

    private static void Same(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"Number {i} is {actual[i]:R} instead of {expected[i]:R}.");
        }
    }
}
