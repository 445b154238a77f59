using Glimmer.Kernels.Formats;
using Glimmer.Models.Loading;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Loading;

public sealed class QuantisationTests
{
    [Fact]
    public void Quantising_while_loading_gives_what_the_converters_file_gives()
    {
        using LoadedModel stored = ModelLoader.Load(Fixtures.Path("gguf", "models", "glm4moe", "glm4moe.q8_0.gguf"));
        using LoadedModel quantised = ModelLoader.Load(Fixtures.Path("gguf", "models", "glm4moe", "glm4moe.f32.gguf"), new LoadOptions { QuantiseTo = BlockFormat.Q8_0 });
        using LoadedModel plain = ModelLoader.Load(Fixtures.Path("gguf", "models", "glm4moe", "glm4moe.f32.gguf"));
        float[] expected = Logits(stored.Model);
        Assert.Equal(expected, Logits(quantised.Model));
        Assert.NotEqual(expected, Logits(plain.Model));
    }

    [Fact]
    public void A_format_that_cannot_be_written_is_refused()
    {
        ModelFileException fault = Assert.Throws<ModelFileException>(() => ModelLoader.Load(Fixtures.Path("text", "glm"), new LoadOptions { QuantiseTo = BlockFormat.IQ2_XXS }));
        Assert.Contains("cannot be quantised to IQ2_XXS; possible are", fault.Message, StringComparison.Ordinal);
        Assert.Contains("Q8_0", fault.Message, StringComparison.Ordinal);
    }

    private static float[] Logits(LanguageModel model)
    {
        using ModelRunner runner = new(model, 30);
        return runner.Chunked(0, [.. Enumerable.Range(3, 30)]);
    }
}
