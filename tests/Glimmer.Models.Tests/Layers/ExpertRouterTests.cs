using System.Text.Json;
using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;
using Glimmer.Models.Weights;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Layers;

public sealed unsafe class ExpertRouterTests
{
    [Theory]
    [InlineData(0, "bias")]
    [InlineData(0, "zero_bias")]
    [InlineData(1, "bias")]
    [InlineData(1, "zero_bias")]
    [InlineData(2, "bias")]
    [InlineData(2, "zero_bias")]
    [InlineData(3, "bias")]
    [InlineData(3, "zero_bias")]
    public void Chooses_as_the_reference_even_between_equals(int options, string biased)
    {
        using SafetensorsFile units = SafetensorsFile.Open(Fixtures.Path("text", "units.safetensors"));
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("text", "units.json")));
        JsonElement option = json.RootElement.GetProperty("facts").GetProperty($"router.{options}");
        float[] logits = Floats(units, "router.logits"), bias = Floats(units, "router.bias");
        int experts = bias.Length, perToken = option.GetProperty("num_experts_per_tok").GetInt32();
        MoeConfig config = new(experts, perToken, 1, 0, option.GetProperty("n_group").GetInt32(), option.GetProperty("topk_group").GetInt32(), option.GetProperty("norm_topk_prob").GetBoolean(), option.GetProperty("routed_scaling_factor").GetDouble(), RouterScore.Sigmoid, [true]);
        ExpertRouter router = new(config, biased == "bias" ? bias : new float[experts]);
        float[] expectedIndices = Floats(units, $"router.{options}.{biased}.indices"), expectedWeights = Floats(units, $"router.{options}.{biased}.weights");

        float* choice = stackalloc float[experts];
        int* indices = stackalloc int[perToken];
        float* weights = stackalloc float[perToken];
        int rows = logits.Length / experts;
        Assert.True(rows > 6);
        for (int row = 0; row < rows; row++)
        {
            fixed (float* scores = logits.AsSpan(row * experts, experts).ToArray())
                router.Choose(scores, choice, indices, weights);
            (int Index, float Weight)[] expected = [.. Enumerable.Range(row * perToken, perToken).Select(i => ((int)expectedIndices[i], expectedWeights[i])).OrderBy(pair => pair.Item1)];
            for (int k = 0; k < perToken; k++)
            {
                Assert.Equal(expected[k].Index, indices[k]);
                Assert.Equal(expected[k].Weight, weights[k], 1e-6f);
            }
        }
    }

    private static float[] Floats(SafetensorsFile file, string name)
    {
        Assert.True(file.TryGet(name, out StoredTensor? tensor), name);
        return tensor.ToFloats();
    }
}
