using Glimmer.Kernels;
using Glimmer.Models.Loading;
using Glimmer.Models.Memory;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Architectures;

public sealed class MtpLayerTests
{
    public static TheoryData<string> Models() => ["text/glm4_moe-mtp", "gguf/models/glmocr/glm_ocr.text.f32.gguf"];

    [Theory]
    [MemberData(nameof(Models))]
    public void Drafts_depend_on_nothing_but_the_tokens_and_states_before(string name)
    {
        using LoadedModel loaded = ModelLoader.Load(Fixtures.Path(name.Split('/')));
        Random random = new(4);
        int hidden = loaded.Description.HiddenSize;
        int[] tokens = [.. Enumerable.Range(0, 30).Select(_ => random.Next(loaded.Description.VocabularySize))];
        float[] states = [.. Enumerable.Range(0, 30 * hidden).Select(_ => random.NextSingle() - 0.5f)];
        float[] expected = Run(loaded.Model, tokens, states, threads: 1, pageTokens: 64, 30);
        Assert.True(expected.Distinct().Count() > 100);
        Assert.Equal(expected, Run(loaded.Model, tokens, states, threads: 3, pageTokens: 4, 1, 2, 11, 30));
        Assert.Equal(expected, Run(loaded.Model, tokens, states, threads: 2, pageTokens: 7, [.. Enumerable.Range(1, 30)]));
    }

    [Fact]
    public void States_that_do_not_fit_the_tokens_are_refused()
    {
        using LoadedModel loaded = ModelLoader.Load(Fixtures.Path("text", "glm4_moe-mtp"));
        ArgumentException fault = Assert.Throws<ArgumentException>(() => Run(loaded.Model, [1, 2, 3], new float[5], 1, 8, 3));
        Assert.Contains("needs 3 states of 44", fault.Message, StringComparison.Ordinal);
    }

    private static float[] Run(LanguageModel model, int[] tokens, float[] states, int threads, int pageTokens, params int[] cuts)
    {
        using ThreadTeam team = new(threads);
        int pages = (tokens.Length + pageTokens - 1) / pageTokens;
        using KvArena arena = new(model.KvLayout, pages, pageTokens, 0);
        int[] order = [.. Enumerable.Range(0, pages).Reverse()];
        ForwardBatch batch = new();
        List<float> logits = [];
        int start = 0, hidden = states.Length / tokens.Length;
        foreach (int end in cuts)
        {
            batch.Clear();
            batch.Add(new SequenceChunk(tokens.AsMemory(start, end - start), start, order, 0, LogitsWanted.All), states.AsMemory(start * hidden, (end - start) * hidden));
            model.Draft!.Forward(batch, arena, team);
            logits.AddRange(batch.ReserveLogits(model.Description.VocabularySize));
            start = end;
        }

        return [.. logits];
    }
}
